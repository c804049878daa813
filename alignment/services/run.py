"""Running runs: what a train worker does with a message, what a person's cancel does, and what the reaper repairs."""

import dataclasses

import structlog
from django.conf import settings
from django.db import transaction as database
from django.utils.translation import gettext as _

from alignment.domain.errors import RunRefused
from alignment.domain.finite import not_finite
from alignment.domain.states import FINAL_RUN_STATES, RunState
from alignment.models import Run
from alignment.runs.artifacts import ArtifactBroken, result_verify
from alignment.runs.attempt import Ending, attempt_arguments, attempt_prepare, attempt_watch
from alignment.runs.launcher import Child
from alignment.runs.lease import Lease, LeaseLost, lease_beat, lease_claim, lease_end
from alignment.runs.reaper import runs_requeue_lost, runs_resend
from alignment.runs.stopping import worker_is_stopping
from alignment.selectors.rundir import attempt_folder, log_tail
from alignment.services.permission import manager_ensure
from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.domain.states import IllegalTransition
from feedback.models import User
from feedback.services.transition import transition
from modeling.spec import ExitCode

log = structlog.get_logger(__name__)

MAX_CRASHES = 3
"""The first may be bad luck (a full machine), the second too; a third is the stage's own."""

_LOG_LINES_IN_ERROR = 20


def run_execute(*, run_id: int) -> None:
    """Claim a queued run, run its stage in a child process to the end, and store how it went.

    Does nothing when somebody else has the run. Must be called on a thread that outlives the child.
    """
    lease = None if worker_is_stopping() else lease_claim(run_id=run_id)
    if lease is None:
        return
    run = Run.objects.get(pk=run_id)
    try:
        folder = attempt_prepare(run, lease)
        child = Child(attempt_arguments(run, lease, folder), folder)
        log.info("run_started", run_id=run_id, stage=run.stage, attempt=lease.attempt, pid=child.pid)
        _settle(run, lease, attempt_watch(child, lease, folder))
    except LeaseLost:
        log.warning("run_lease_lost", run_id=run_id, attempt=lease.attempt, note="its child was killed")
    except OSError as error:
        _crashed(run, lease, f"The stage could not be run: {error}")


def run_cancel(*, run: Run, by: User) -> None:
    """Ask a run to stop; a queued one is cancelled at once. Its round ends with it. Raises: RunRefused, NotAllowed."""
    manager_ensure(by=by, project=run.round.project)
    if run.state in FINAL_RUN_STATES:
        raise RunRefused(_("This run has already ended."))
    run_stop(run=run, by=by)


def run_stop(*, run: Run, by: User | None) -> None:
    """Cancel a queued run; ask a running one to stop at its next heartbeat."""
    Run.objects.filter(pk=run.pk).update(stop_requested=True)
    if run.state == RunState.RUNNING:
        return
    try:
        with database.atomic():
            transition(obj=run, to=RunState.CANCELLED, actor=by)
            dispatch("alignment.round_advance", round_id=run.round_id)
    except (IllegalTransition, Conflict):
        log.info("run_stop_requested", run_id=run.pk, note="it was claimed meanwhile; its worker stops it")


def runs_reap() -> None:
    """Bring back runs whose worker is gone, and remind workers of runs that wait."""
    runs_requeue_lost()
    runs_resend()


def _settle(run: Run, lease: Lease, ending: Ending) -> None:
    log.info("run_ended", run_id=run.pk, attempt=lease.attempt, exit_code=ending.exit_code)
    match ending.exit_code:
        case ExitCode.OK:
            _succeeded(run, lease)
        case ExitCode.BAD_INPUT | ExitCode.REFUSED:
            message = ending.error or _log_end(run, lease)
            lease_end(lease, to=RunState.FAILED, reason=message, error=message)
        case _ if ending.stop_requested:
            lease_end(lease, to=RunState.CANCELLED, reason="stopped as asked")
        case ExitCode.STOPPED:
            lease_end(lease, to=RunState.QUEUED, reason="its worker ended; it goes on from its checkpoint")
        case code:
            _crashed(run, lease, ending.error or _died(code))


def _succeeded(run: Run, lease: Lease) -> None:
    folder = attempt_folder(run, lease.attempt)
    try:
        result = result_verify(folder, on_file=lambda: lease_beat(lease))
    except ArtifactBroken as error:
        _crashed(run, lease, str(error))
        return
    record = dataclasses.asdict(result)
    if wrong := sorted(not_finite(record)):
        message = (
            f"The run came to its end, but its result is not used: not finite are {', '.join(wrong)}. "
            "Look at its curves, and lower the learning rate."
        )
        lease_end(lease, to=RunState.FAILED, reason=message, error=message)
        return
    lease_end(
        lease, to=RunState.SUCCEEDED, metrics=result.metrics, result=record, stop_requested=False,
        run_dir=str(folder.relative_to(settings.RUNS_ROOT)),
    )  # fmt: skip


def _crashed(run: Run, lease: Lease, message: str) -> None:
    crashes = run.crashes + 1
    if crashes < MAX_CRASHES:
        lease_end(lease, to=RunState.QUEUED, reason=message, crashes=crashes, error=message)
        return
    error = f"{message}\n\n{_log_end(run, lease)}".strip()
    lease_end(lease, to=RunState.FAILED, reason=message, crashes=crashes, error=error)


def _died(exit_code: int) -> str:
    if exit_code < 0:
        return f"The process was killed by signal {-exit_code}; the machine may have run out of memory."
    return f"The process ended with exit code {exit_code}."


def _log_end(run: Run, lease: Lease) -> str:
    return log_tail(attempt_folder(run, lease.attempt), _LOG_LINES_IN_ERROR)
