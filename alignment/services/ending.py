"""Ending a round without a new policy: it failed, was cancelled, or was rejected. Each opens the next one."""

from django.db import transaction as database
from django.utils import timezone

from alignment.domain.states import FINAL_RUN_STATES, DeploymentState, RoundState
from alignment.models import Round
from alignment.services.opening import round_open_next
from alignment.services.run import run_stop
from feedback.domain.states import BatchState
from feedback.models import User
from feedback.services.batch import batch_close
from feedback.services.transition import transition


def round_end(*, round: Round, to: RoundState, by: User | None = None, reason: str = "") -> None:
    """End a round, stop what still works for it, and open the next one, in one transaction.

    Raises: IllegalTransition or Conflict when it has moved on meanwhile.
    """
    error = reason if to in {RoundState.FAILED, RoundState.CANCELLED} else ""
    with database.atomic():
        transition(
            obj=round, to=to, actor=by, reason=reason, error=error, waiting_for="", finished_at=timezone.now()
        )  # first: whoever else wants to move this round waits here
        for deployment in round.deployments.filter(state=DeploymentState.LOADING):
            transition(obj=deployment, to=DeploymentState.FAILED, reason="its round has ended", error=reason)
        if round.batch is not None and round.batch.state == BatchState.SAMPLING:
            batch_close(batch=round.batch, by=by, reason=f"round {round.number} has ended")
        for run in round.runs.exclude(state__in=FINAL_RUN_STATES):
            run_stop(run=run, by=by)
        round_open_next(after=round)
