"""Background jobs of the labeling app, two lines each."""

from celery import shared_task

from feedback.services import answering, exclusion, quality_computing
from feedback.services.assignment import assignments_expire
from feedback.services.erasure import erasures_finish
from feedback.services.quality import quality_refresh, quality_thin
from feedback.services.task_action import task_action_run, task_actions_go_on


@shared_task(name="feedback.assignments_expire")
def expire_assignments() -> None:
    assignments_expire()


@shared_task(name="feedback.erasures_finish")
def finish_erasures() -> None:
    erasures_finish()


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


@shared_task(name="feedback.quality_thin")
def thin_quality() -> None:
    quality_thin()


@shared_task(name="feedback.task_action")
def run_task_action(action_id: int) -> None:
    task_action_run(action_id=action_id)


@shared_task(name="feedback.task_actions_go_on")
def go_on_with_task_actions() -> None:
    task_actions_go_on()


@shared_task(name="feedback.exclusion_apply")
def apply_exclusion(membership_id: int) -> None:
    exclusion.exclusion_apply(membership_id=membership_id)


@shared_task(name="feedback.exclusions_apply")
def apply_exclusions() -> None:
    exclusion.exclusions_apply()
