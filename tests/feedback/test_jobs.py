import datetime as dt

import pytest
from celery import current_app
from django.utils import timezone

from feedback.domain.states import AssignmentState
from feedback.domain.task_filter import TaskActionKind, TaskFilter
from feedback.jobs import expire_assignments, go_on_with_task_actions, run_task_action
from feedback.models import Task
from feedback.services.task_action import task_action_ask
from tests.feedback.factories import AssignmentFactory, ProjectFactory, TaskFactory, UserFactory


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


@pytest.mark.django_db
def test_a_change_of_many_tasks_is_sent_by_a_name_that_workers_know_and_found_again():
    project = ProjectFactory()
    TaskFactory(project=project)
    action = task_action_ask(
        project=project, kind=TaskActionKind.RAISE, asked=TaskFilter(), priority=None, by=UserFactory(), reason="more"
    )
    assert {run_task_action.name, go_on_with_task_actions.name} <= set(current_app.tasks)
    assert run_task_action.name == "feedback.task_action"
    go_on_with_task_actions()
    run_task_action(action_id=action.pk)
    assert Task.objects.get().overlap == 2
