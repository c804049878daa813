"""Celery's view of this app: each job takes an id and calls a service."""

from celery import shared_task
from celery.signals import worker_shutting_down

from alignment.runs.stopping import worker_stop
from alignment.services import advance, deployment, run, sampling


@shared_task(name="alignment.run_execute", acks_late=False)
def run_execute(run_id: int) -> None:
    """Run a training stage; on queue `train`, whose worker must use the solo pool (see `runs.launcher`)."""
    run.run_execute(run_id=run_id)


@shared_task(name="alignment.runs_reap")
def runs_reap() -> None:
    run.runs_reap()


@shared_task(name="alignment.round_advance")
def round_advance(round_id: int) -> None:
    advance.round_advance(round_id=round_id)


@shared_task(name="alignment.rounds_advance_all")
def rounds_advance_all() -> None:
    advance.rounds_advance_all()


@shared_task(name="alignment.batch_sample")
def batch_sample(batch_id: int) -> None:
    sampling.batch_sample(batch_id=batch_id)


@shared_task(name="alignment.deployment_reconcile")
def deployment_reconcile() -> None:
    deployment.deployment_reconcile()


@worker_shutting_down.connect
def on_worker_shutting_down(**_: object) -> None:
    """Let the run that this worker watches checkpoint and go back to the queue."""
    worker_stop()
