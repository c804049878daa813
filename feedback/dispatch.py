"""Starting background work by name, after the transaction that asks for it has been committed.

Services use this, so that they and the jobs that call them never import each other. A broker that cannot be reached
loses nothing: every piece of work is also found by a periodic job that looks at the database.
"""

from typing import Any

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def dispatch(job: str, **kwargs: Any) -> None:
    """Send a job by its registered name once the current transaction commits."""
    transaction.on_commit(lambda: _send(job, kwargs), robust=False)


def _send(job: str, kwargs: dict[str, Any]) -> None:
    try:
        current_app.send_task(job, kwargs=kwargs)
    except (OperationalError, OSError) as error:
        log.warning("dispatch_failed", job=job, error=str(error), note="a periodic job will pick the work up")
