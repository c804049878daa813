"""In which order tasks are handed out, and that neither a long past nor a long queue makes a claim slower."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback.domain.protocol import SkipReason
from feedback.domain.states import AssignmentState, UserKind
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Membership, Task
from feedback.selectors.task import MOST_COUNTED, STRETCH, queue_count
from feedback.services.assignment import FRONT_EVERY_S, assignment_claim, assignment_prefetch, assignment_release
from feedback.services.batch import batch_close
from feedback.services.judgment import judgment_submit
from feedback.templatetags.figures import tasks_left
from tests.feedback.factories import BatchFactory, MembershipFactory, ProjectFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(overlap=2)


@pytest.fixture
def annotator(project):
    return MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user


def add_tasks(project, n, **fields):
    """Make tasks with the prompt of one that there is; without answers, since nobody looks at them."""
    model = TaskFactory(project=project, **fields)
    rows = [
        Task(project=project, batch=model.batch, prompt=model.prompt, overlap=2, open_slots=model.open_slots,
             priority=model.priority, reserved_for=model.reserved_for)
        for _ in range(n - 1)
    ]  # fmt: skip
    return [model, *Task.objects.bulk_create(rows)]


def judged_by(annotator, tasks):
    Assignment.objects.bulk_create(
        Assignment(task=task, annotator=annotator, state=AssignmentState.SUBMITTED, order=[0, 1],
                   lease_expires_at=timezone.now())
        for task in tasks
    )  # fmt: skip


def claim(project, annotator):
    return assignment_claim(project=project, annotator=annotator, show=True)


def judge(assignment, annotator):
    verdict = Verdict(ranks=(1, 2)[: len(assignment.order)])
    judgment_submit(assignment_id=assignment.pk, annotator=annotator, verdict=verdict, client_key=str(assignment.pk))


def last_look_long_ago(annotator):
    membership = Membership.objects.get(user=annotator)
    position = {**membership.queue_position, "since": timezone.now().timestamp() - FRONT_EVERY_S - 1}
    Membership.objects.filter(pk=membership.pk).update(queue_position=position)


def test_a_long_past_in_front_is_passed_once_and_not_at_each_claim(project, annotator):
    judged_by(annotator, add_tasks(project, 3 * STRETCH))
    fresh = [TaskFactory(project=project), TaskFactory(project=project)]

    first = claim(project, annotator)
    judge(first, annotator)
    with CaptureQueriesContext(connection) as seen:
        second = claim(project, annotator)

    assert {first.task, second.task} == set(fresh)
    looks = [query["sql"] for query in seen if "AS stretch" in query["sql"]]
    assert len(looks) <= 2, "one range behind the kept place"
    assert Membership.objects.get(user=annotator).queue_position["after"][2] >= fresh[0].pk - 1


def test_a_place_never_passes_a_task_that_this_person_could_still_do(project, annotator):
    tasks = [TaskFactory(project=project) for _ in range(20)]
    done = []
    for _ in tasks:
        assignment = claim(project, annotator)
        judge(assignment, annotator)
        done.append(assignment.task)

    assert set(done) == set(tasks)
    assert claim(project, annotator) is None


def test_what_was_freed_before_the_place_comes_within_a_minute(project, annotator):
    urgent_once, *_others = [TaskFactory(project=project) for _ in range(5)]
    Task.objects.filter(pk=urgent_once.pk).update(open_slots=0)
    judge(claim(project, annotator), annotator)
    Task.objects.filter(pk=urgent_once.pk).update(open_slots=1, priority=9)

    last_look_long_ago(annotator)

    assert claim(project, annotator).task == urgent_once


def test_when_nothing_is_left_behind_the_place_the_front_is_looked_at_at_once(project, annotator):
    first, second = TaskFactory(project=project), TaskFactory(project=project)
    Task.objects.filter(pk=first.pk).update(open_slots=0)
    judge(claim(project, annotator), annotator)
    Task.objects.filter(pk=first.pk).update(open_slots=1)

    assert claim(project, annotator).task == first
    assert Assignment.objects.get(task=second).state == AssignmentState.SUBMITTED


def test_batches_come_in_their_order_and_each_by_priority(project, annotator):
    early, late = BatchFactory(project=project), BatchFactory(project=project)
    last = TaskFactory(project=project, batch=late, priority=9)
    second = TaskFactory(project=project, batch=early)
    first = TaskFactory(project=project, batch=early, priority=3)

    found = []
    for _ in range(3):
        assignment = claim(project, annotator)
        judge(assignment, annotator)
        found.append(assignment.task)

    assert found == [first, second, last]


def test_a_batch_that_was_closed_meanwhile_gives_nothing_more(project, annotator):
    early, late = BatchFactory(project=project), BatchFactory(project=project)
    for _ in range(3):
        TaskFactory(project=project, batch=early)
    elsewhere = TaskFactory(project=project, batch=late)
    judge(claim(project, annotator), annotator)

    batch_close(batch=early)

    assert claim(project, annotator).task == elsewhere


def test_a_block_comes_first_for_its_person_and_to_nobody_else_until_it_is_done(project, annotator):
    ordinary = TaskFactory(project=project, priority=5)
    mine, skipped = (TaskFactory(project=project, reserved_for=annotator) for _ in range(2))
    other = MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user

    assert claim(project, other).task == ordinary
    assert assignment_prefetch(project=project, annotator=other) is None
    first = claim(project, annotator)
    judge(first, annotator)
    second = claim(project, annotator)
    assert {first.task, second.task} == {mine, skipped}
    assignment_release(assignment=second, annotator=annotator, reason=SkipReason.OTHER)

    assert claim(project, annotator).task == ordinary
    assert assignment_prefetch(project=project, annotator=other).task in (mine, skipped)


def test_a_block_that_was_given_later_comes_at_once_when_nothing_else_is_left(project, annotator):
    TaskFactory(project=project)
    judge(claim(project, annotator), annotator)
    block = TaskFactory(project=project, reserved_for=annotator)

    assert claim(project, annotator).task == block


def test_a_claim_that_shows_starts_the_time_at_once(project, annotator):
    TaskFactory(project=project)

    shown = claim(project, annotator)

    assert shown.shown_at is not None
    assert shown.protocol is not None
    lease_s = (shown.lease_expires_at - shown.shown_at).total_seconds()
    assert project.lease_s - 1 < lease_s < project.lease_s + 1


def test_the_count_of_the_queue_ends_at_a_thousand_and_says_so(project, annotator):
    tasks = add_tasks(project, MOST_COUNTED + 60)
    assert queue_count(project=project, annotator=annotator) == MOST_COUNTED + 1
    assert tasks_left(MOST_COUNTED + 1, project) == "1,000+ tasks left"

    judged_by(annotator, tasks[:70])

    assert queue_count(project=project, annotator=annotator) == MOST_COUNTED - 10
    assert tasks_left(MOST_COUNTED - 10, project) == "990 tasks left"
