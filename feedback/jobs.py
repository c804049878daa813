"""Background jobs of the labeling app, two lines each."""

from celery import shared_task

from feedback.services import answering, quality_computing
from feedback.services.assignment import assignments_expire
from feedback.services.quality import quality_refresh


@shared_task(name="feedback.assignments_expire")
def expire_assignments() -> None:
    assignments_expire()


@shared_task(name="feedback.turn_answer")
def turn_answer(answer_id: int) -> None:
    """Write one answer of a live turn; on queue `live`, where waiting for a policy holds up nothing else."""
    answering.turn_answer(answer_id=answer_id)


@shared_task(name="feedback.turns_wake")
def turns_wake() -> None:
    answering.turns_wake()


@shared_task(name="feedback.quality_compute")
def compute_quality(report_id: int) -> None:
    quality_computing.quality_compute(report_id=report_id)


@shared_task(name="feedback.quality_refresh")
def refresh_quality() -> None:
    quality_refresh()
