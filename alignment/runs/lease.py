"""Who may run a run: one conditional update claims it, a counter shows life, and only the lease's holder may end it.

Every write here names the lease in its WHERE clause. A worker that was paused and replaced finds zero rows and must
drop what it holds. No clocks are compared: the reaper looks whether the counter moves.
"""

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction as database
from django.db.models import F
from django.utils import timezone

from alignment.domain.states import RunState
from alignment.models import Run
from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.domain.states import IllegalTransition
from feedback.services.transition import transition


class LeaseLost(Exception):  # noqa: N818 - what happened to the lease
    """Somebody else holds the run now: kill the child and write nothing."""


@dataclasses.dataclass(frozen=True)
class Lease:
    """The right to run one attempt."""

    run_id: int
    lease_id: uuid.UUID
    attempt: int


def lease_claim(*, run_id: int) -> Lease | None:
    """Take a queued run for its next attempt, or return None when it is not to be had."""
    run = Run.objects.get(pk=run_id)
    lease = Lease(run_id, uuid.uuid4(), run.attempt + 1)
    try:
        transition(
            obj=run, to=RunState.RUNNING, where={"attempt": run.attempt}, lease_id=lease.lease_id,
            attempt=lease.attempt, heartbeat=run.heartbeat + 1, reaper_still_looks=0, started_at=timezone.now(),
            error="",
        )  # fmt: skip
    except (IllegalTransition, Conflict):
        return None
    return lease


def lease_beat(lease: Lease, **progress: Any) -> bool:
    """Raise the heartbeat counter and store progress; return whether somebody asked the run to stop.

    Raises: LeaseLost.
    """
    held = Run.objects.filter(pk=lease.run_id, lease_id=lease.lease_id, state=RunState.RUNNING)
    if not held.update(heartbeat=F("heartbeat") + 1, **progress):
        raise LeaseLost
    return held.filter(stop_requested=True).exists()


def lease_end(
    lease: Lease, *, to: RunState, reason: str = "", where: Mapping[str, Any] | None = None, **fields: Any
) -> None:
    """End the attempt: store its outcome and give the lease back, in one transaction; `where` adds conditions.

    Raises: LeaseLost.
    """
    run = Run.objects.get(pk=lease.run_id)
    if to != RunState.QUEUED:
        fields["finished_at"] = timezone.now()
    conditions = {"lease_id": lease.lease_id, **(where or {})}
    with database.atomic():
        try:
            transition(obj=run, to=to, reason=reason, where=conditions, lease_id=None, **fields)
        except (IllegalTransition, Conflict) as error:
            raise LeaseLost from error
        if to == RunState.QUEUED:
            run_send(run)
        else:
            dispatch("alignment.round_advance", round_id=run.round_id)


def run_send(run: Run) -> None:
    """Tell a train worker of a queued run."""
    Run.objects.filter(pk=run.pk).update(sent_at=timezone.now())
    dispatch("alignment.run_execute", run_id=run.pk)
