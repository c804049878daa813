import datetime as dt

import pytest
from celery import current_app
from django.utils import timezone

from feedback.domain.states import AssignmentState
from feedback.jobs import expire_assignments
from tests.feedback.factories import AssignmentFactory


@pytest.mark.django_db
def test_the_periodic_job_gives_forgotten_tasks_back():
    forgotten = AssignmentFactory(lease_expires_at=timezone.now() - dt.timedelta(seconds=1), task__open_slots=0)
    running = AssignmentFactory()

    expire_assignments()

    forgotten.refresh_from_db()
    running.refresh_from_db()
    forgotten.task.refresh_from_db()
    assert (forgotten.state, forgotten.task.open_slots) == (AssignmentState.EXPIRED, 1)
    assert running.state == AssignmentState.HELD


def test_the_job_has_the_name_that_the_schedule_calls():
    assert expire_assignments.name == "feedback.assignments_expire"
    assert expire_assignments.name in current_app.tasks
