"""Changing tasks: whatever is done, every slot is open, held or filled, and the batch knows how many are wanted."""

import datetime as dt

import pytest
from django.db.models import Sum
from django.utils import timezone

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.states import AssignmentState, BatchState, TaskPurpose
from feedback.domain.task_filter import TaskActionKind, TaskFilter, TaskState
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Batch, Judgment, Task, TaskAction, Transition
from feedback.services import task_action
from feedback.services.assignment import assignment_claim
from feedback.services.judgment import judgment_submit
from feedback.services.task import MAX_OVERLAP, task_overlap_raise, task_prioritise, task_requeue
from feedback.services.task_action import task_action_ask, task_action_run, task_action_stop, task_actions_go_on
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(overlap=2)


@pytest.fixture
def admin():
    return UserFactory(username="ada")


def claimed(project):
    return assignment_claim(project=project, annotator=MembershipFactory(project=project).user)


def judged(project):
    assignment = claimed(project)
    judgment_submit(
        assignment_id=assignment.pk, annotator=assignment.annotator, verdict=Verdict(ranks=(1, 2)), client_key="k"
    )
    return assignment


def assert_slots_are_exact():
    for task in Task.objects.exclude(purpose=TaskPurpose.GOLD):
        held = Assignment.objects.filter(task=task, state=AssignmentState.HELD).count()
        counted = Judgment.objects.filter(task=task, counted=True, superseded_by=None).count()
        assert task.overlap == task.open_slots + held + counted, task
    for batch in Batch.objects.all():
        assert batch.n_wanted == (batch.tasks.aggregate(n=Sum("overlap"))["n"] or 0), batch


def said_of(task):
    return list(
        Transition.objects.filter(object_type="feedback.task", object_id=task.pk)
        .order_by("pk")
        .values_list("to_state", "reason", "actor__username")
    )


def test_a_task_is_taken_back_from_whoever_holds_it_and_judgments_stay(project, admin):
    task = TaskFactory(project=project)
    judged(project)
    held = claimed(project)
    assert task_requeue(task_ids=[task.pk], by=admin, reason=" somebody is ill ") == 1
    task.refresh_from_db()
    held.refresh_from_db()
    assert (task.open_slots, held.state) == (1, AssignmentState.EXPIRED)
    assert Judgment.objects.filter(task=task, counted=True).count() == 1
    assert said_of(task) == [("taken back", "somebody is ill", "ada")]
    assert_slots_are_exact()


def test_a_task_that_nobody_holds_is_not_taken_back(project, admin):
    task = TaskFactory(project=project)
    assert task_requeue(task_ids=[task.pk], by=admin, reason="tidy") == 0
    assert said_of(task) == []


def test_whoever_lost_a_task_may_still_submit_it_while_a_slot_is_free(project, admin):
    task = TaskFactory(project=project)
    held = claimed(project)
    task_requeue(task_ids=[task.pk], by=admin, reason="too slow")
    result = judgment_submit(
        assignment_id=held.pk, annotator=held.annotator, verdict=Verdict(ranks=(1, 2)), client_key="late"
    )
    assert result.judgment.counted
    assert_slots_are_exact()


def test_a_task_of_higher_priority_comes_first(project, admin):
    first, second = TaskFactory(project=project), TaskFactory(project=project)
    assert task_prioritise(task_ids=[first.pk, second.pk], priority=0, by=admin, reason="none") == 0
    assert task_prioritise(task_ids=[second.pk], priority=5, by=admin, reason="urgent") == 1
    assert claimed(project).task_id == second.pk
    assert said_of(second) == [("priority 0 to 5", "urgent", "ada")]
    assert said_of(first) == []


def test_one_more_judgment_opens_a_slot_of_a_finished_task(project, admin):
    task = TaskFactory(project=project)
    judged(project)
    judged(project)
    assert claimed(project) is None
    assert task_overlap_raise(task_ids=[task.pk], by=admin, reason="it is close") == 1
    assert claimed(project).task_id == task.pk
    assert said_of(task) == [("overlap 2 to 3", "it is close", "ada")]
    assert_slots_are_exact()


def test_a_closed_batch_and_a_task_at_the_highest_overlap_want_nothing_more(project, admin):
    closed = TaskFactory(project=project)
    Batch.objects.filter(pk=closed.batch_id).update(state=BatchState.CLOSED)
    full = TaskFactory(project=project, overlap=MAX_OVERLAP)
    assert task_overlap_raise(task_ids=[closed.pk, full.pk], by=admin, reason="more") == 0
    assert_slots_are_exact()


def test_tasks_that_are_handed_out_by_other_rules_stay_as_they_are(project, admin):
    gold = TaskFactory(project=project, purpose=TaskPurpose.GOLD, batch=None, overlap=30_000)
    ids = [gold.pk]
    assert task_overlap_raise(task_ids=ids, by=admin, reason="x") == 0
    assert task_prioritise(task_ids=ids, priority=3, by=admin, reason="x") == 0
    assert task_requeue(task_ids=ids, by=admin, reason="x") == 0
    gold.refresh_from_db()
    assert (gold.overlap, gold.priority) == (30_000, 0)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_nothing_is_changed_without_a_reason_that_fits(project, admin, reason):
    task = TaskFactory(project=project)
    with pytest.raises(Invalid):
        task_requeue(task_ids=[task.pk], by=admin, reason=reason)
    with pytest.raises(Invalid):
        task_overlap_raise(task_ids=[task.pk], by=admin, reason=reason)
    with pytest.raises(Invalid):
        task_prioritise(task_ids=[task.pk], priority=1, by=admin, reason=reason)
    assert said_of(task) == []


@pytest.mark.parametrize("priority", [-1_001, 1_001])
def test_a_priority_out_of_range_is_refused(project, admin, priority):
    with pytest.raises(Invalid, match="from -1000 to 1000"):
        task_prioritise(task_ids=[TaskFactory(project=project).pk], priority=priority, by=admin, reason="x")


# ---- All that a search finds ----------------------------------------------------------------------------------------


def ask(project, admin, kind=TaskActionKind.RAISE, **how):
    how = {"asked": TaskFilter(), "priority": None, "by": admin, "reason": "all of them", **how}
    return task_action_ask(project=project, kind=kind, **how)


def test_every_task_that_is_found_is_changed_once_in_chunks(project, admin, monkeypatch):
    monkeypatch.setattr(task_action, "CHUNK", 2)
    tasks = TaskFactory.create_batch(5, project=project)
    action = ask(project, admin)
    later = TaskFactory(project=project)
    task_action_run(action_id=action.pk)
    task_action_run(action_id=action.pk)
    action.refresh_from_db()
    assert (action.n_found, action.n_changed, action.finished_at is None) == (5, 5, False)
    assert {said_of(task)[0][0] for task in tasks} == {"overlap 2 to 3"}
    assert said_of(later) == []
    assert_slots_are_exact()


def test_only_what_the_search_finds_is_changed(project, admin):
    tagged, other = (TaskFactory(project=project, prompt__tags=tags) for tags in (["boats"], []))
    foreign = TaskFactory(prompt__tags=["boats"])
    action = ask(project, admin, TaskActionKind.PRIORITISE, asked=TaskFilter(tag="boats"), priority=7)
    task_action_run(action_id=action.pk)
    priorities = [Task.objects.get(pk=task.pk).priority for task in (tagged, other, foreign)]
    assert priorities == [7, 0, 0]


def test_a_worker_that_died_is_replaced_and_two_workers_never_change_a_task_twice(project, admin, monkeypatch):
    monkeypatch.setattr(task_action, "CHUNK", 2)
    TaskFactory.create_batch(4, project=project)
    action = ask(project, admin)
    stale = TaskAction.objects.select_related("project", "asked_by").get(pk=action.pk)
    assert task_action._chunk(action)  # and then it is killed
    assert not task_action._chunk(stale)  # a second worker that began at the same moment
    task_actions_go_on()
    action.refresh_from_db()
    assert (action.n_found, action.n_changed) == (4, 4)
    assert set(Task.objects.values_list("overlap", flat=True)) == {3}
    assert_slots_are_exact()


def test_held_tasks_are_taken_back_by_a_search(project, admin):
    TaskFactory.create_batch(3, project=project)
    held = claimed(project)
    task_action_run(action_id=ask(project, admin, TaskActionKind.REQUEUE, asked=TaskFilter(state=TaskState.HELD)).pk)
    held.refresh_from_db()
    action = TaskAction.objects.get()
    assert (held.state, action.n_found, action.n_changed) == (AssignmentState.EXPIRED, 1, 1)
    assert_slots_are_exact()


def test_one_change_of_many_tasks_at_a_time(project, admin):
    ask(project, admin)
    with pytest.raises(Conflict, match="under way"):
        ask(project, admin)
    TaskAction.objects.update(finished_at=timezone.now() - dt.timedelta(seconds=1))
    ask(project, admin)


def test_what_is_stopped_goes_no_further_and_keeps_what_it_changed(project, admin, monkeypatch):
    monkeypatch.setattr(task_action, "CHUNK", 2)
    TaskFactory.create_batch(5, project=project)
    action = ask(project, admin)
    task_action._chunk(action)
    assert task_action_stop(project=project)
    assert not task_action_stop(project=project)
    task_actions_go_on()
    task_action_run(action_id=action.pk)
    action.refresh_from_db()
    assert not task_action._chunk(action)
    assert Task.objects.filter(overlap=3).count() == 2
    ask(project, admin)


def test_what_cannot_be_done_is_not_asked_for(project, admin):
    with pytest.raises(Invalid):
        ask(project, admin, reason="")
    with pytest.raises(Invalid):
        ask(project, admin, TaskActionKind.PRIORITISE)
    assert not TaskAction.objects.exists()
