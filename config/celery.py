"""The Celery app. Jobs live in each room's `jobs.py`; a job takes an id and calls a service.

The database holds the truth and periodic jobs look at it, so a lost message costs seconds, never work: no result
backend, no chains, no reliance on the broker's redelivery.
"""

import os
import warnings

from celery import Celery, signals
from django.core.exceptions import ImproperlyConfigured

from config.logs import configure_logs
from config.security import require_safe_secret

# Celery warns root users of pickled messages; here nothing but JSON is accepted.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("plumbline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")


@signals.setup_logging.connect
def use_our_logs(**_: object) -> None:
    """Keep Celery from installing its own handlers: every process of the house logs alike."""
    configure_logs()


@signals.celeryd_init.connect
@signals.beat_init.connect
def refuse_guessable_secret(**_: object) -> None:
    """A worker signs and stores as much as a web process does. Celery logs and forgets a receiver's plain exception."""
    try:
        require_safe_secret()
    except ImproperlyConfigured as error:
        raise SystemExit(str(error)) from error
