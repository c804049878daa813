"""The Celery app. Jobs live in each room's `jobs.py`; a job takes an id and calls a service.

The database holds the truth and periodic jobs look at it, so a lost message costs seconds, never work: no result
backend, no chains, no reliance on the broker's redelivery.
"""

import os

from celery import Celery, signals

from config.logs import configure_logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("plumbline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")


@signals.setup_logging.connect
def use_our_logs(**_: object) -> None:
    """Keep Celery from installing its own handlers: every process of the house logs alike."""
    configure_logs()
