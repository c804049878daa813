"""Finding runs whose worker is gone, and runs that no worker was told of. Called periodically; knows no processes."""

import datetime as dt

import structlog
from django.conf import settings
from django.db import transaction as database
from django.db.models import F, Q
from django.utils import timezone

from alignment.domain.states import RunState
from alignment.models import Run
from alignment.runs.lease import Lease, LeaseLost, lease_end, run_send

log = structlog.get_logger(__name__)

STILL_LOOKS = 3
"""Looks without a heartbeat before a worker counts as gone: one or two may fall between two beats of a busy machine."""

MAX_ATTEMPTS = 20
"""A run that loses its worker this often takes the machine down with it."""


def runs_requeue_lost() -> int:
    """Give runs whose heartbeat stood still over three looks back to the queue; return how many."""
    running = Run.objects.filter(state=RunState.RUNNING)
    still = running.filter(heartbeat=F("reaper_seen_heartbeat"))
    still.update(reaper_still_looks=F("reaper_still_looks") + 1)
    running.exclude(heartbeat=F("reaper_seen_heartbeat")).update(
        reaper_seen_heartbeat=F("heartbeat"), reaper_still_looks=0
    )
    return sum(_requeue(run) for run in still.filter(reaper_still_looks__gte=STILL_LOOKS))


def runs_resend() -> int:
    """Send the messages of runs that have waited in the queue for long; a second message is refused by the claim."""
    before = timezone.now() - dt.timedelta(seconds=settings.RUN_RESEND_S)
    waiting = Run.objects.filter(Q(sent_at=None) | Q(sent_at__lt=before), state=RunState.QUEUED)
    for run in waiting:
        with database.atomic():
            run_send(run)
    return len(waiting)


def _requeue(run: Run) -> bool:
    assert run.lease_id is not None, "a running run has a lease"
    to, reason = RunState.QUEUED, "its worker is gone"
    if run.stop_requested:
        to, reason = RunState.CANCELLED, "its worker is gone, and it was to stop"
    elif run.attempt >= MAX_ATTEMPTS:
        to = RunState.FAILED
        reason = f"Its worker disappeared in {run.attempt} attempts. Look into the worker's log, and free memory."
    error = reason if to == RunState.FAILED else ""
    lease = Lease(run.pk, run.lease_id, run.attempt)
    try:
        lease_end(lease, to=to, reason=reason, where={"heartbeat": run.heartbeat}, error=error)
    except LeaseLost:
        return False  # it ended or beat between our look and our update
    log.warning("run_lost_its_worker", run_id=run.pk, attempt=run.attempt, now=to)
    return True
