"""Background jobs of the labeling app, two lines each."""

from celery import shared_task

from feedback.services.assignment import assignments_expire


@shared_task(name="feedback.assignments_expire")
def expire_assignments() -> None:
    assignments_expire()
