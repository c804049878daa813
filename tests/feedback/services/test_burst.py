"""Impossible speed is held back; honest speed, flaky networks and programs are not."""

import datetime as dt

import pytest

from feedback.domain.states import HoldState, Standing, UserKind
from feedback.models import Assignment, Hold, Judgment, Task
from feedback.services.assignment import assignment_claim, assignment_show
from feedback.services.burst import burst_hold, hold_clear, hold_confirm
from feedback.services.standing import standing_set
from tests.feedback.factories import MembershipFactory, ProjectFactory, ResponseFactory, TaskFactory
from tests.feedback.judging import judge

pytestmark = pytest.mark.django_db
TEXT = "Somebody who wants to say which of these two is the better one has to look at some of its words first."


@pytest.fixture
def project():
    project = ProjectFactory()
    for _ in range(16):
        task = TaskFactory(project=project, n_answers=0, prompt__text=None, prompt__messages=[
            {"role": "user", "content": f"{TEXT} {Task.objects.count()}"}
        ])  # fmt: skip
        for item in range(2):
            response = ResponseFactory(prompt=task.prompt, batch=task.batch, sample=item, text=f"{item} {TEXT}")
            task.items.create(response=response, item=item)
    return project


@pytest.fixture
def membership(project):
    return MembershipFactory(project=project)


def work(membership, *seconds):
    """Judge a task after so many seconds each, until there are no more tasks."""
    for after in seconds:
        assignment = assignment_show(assignment=assignment_claim(project=membership.project, annotator=membership.user))
        Assignment.objects.filter(pk=assignment.pk).update(shown_at=assignment.shown_at - dt.timedelta(seconds=after))
        judge(assignment, (1, 2))


def standing(membership):
    membership.refresh_from_db()
    return membership.standing


def slots_taken():
    return sum(task.overlap - task.open_slots for task in Task.objects.all())


def test_a_burst_is_held_back_with_its_slots_and_the_person_stops(project, membership):
    work(membership, 30, *[0.5] * 5)

    hold = Hold.objects.get()
    assert standing(membership) == Standing.STOPPED
    assert (hold.state, hold.judgments.count()) == (HoldState.REVIEWING, 5)
    assert hold.reason.startswith("5 of 8 judgments within ")
    assert Judgment.objects.filter(counted=True).count() == 1  # the first one took its time
    assert slots_taken() == 6


def test_a_fast_honest_person_is_never_held_back(membership):
    work(membership, *[5] * 16)  # a glance at three texts of twenty words takes 4.6 s

    assert standing(membership) == Standing.WORKING
    assert not Hold.objects.exists()


def test_what_a_browser_kept_while_it_was_offline_is_no_burst(membership):
    work(membership, *[60, 0.1] * 8)  # after each gap two arrive at once

    assert not Hold.objects.exists()


def test_some_lucky_clicks_are_no_burst(membership):
    work(membership, 0.5, 0.5, 30, 0.5, 40, 0.5, 50, 60, 0.5, 0.5, 30, 40)

    assert not Hold.objects.exists()


@pytest.mark.parametrize("who", [{"user__kind": UserKind.SIMULATED}, {"user__is_demo": True}], ids=["program", "demo"])
def test_programs_and_the_demos_annotator_may_be_fast(project, who):
    program = MembershipFactory(project=project, **who)
    work(program, *[0] * 16)

    assert not Hold.objects.exists()


def test_a_cleared_hold_counts_again_and_is_not_held_against_anybody(project, membership):
    work(membership, *[0.5] * 5)
    hold_clear(hold=Hold.objects.get(), by=project.created_by)

    assert standing(membership) == Standing.WORKING
    assert Judgment.objects.filter(counted=True).count() == 5
    work(membership, 0.5)
    assert Hold.objects.count() == 1
    assert slots_taken() == 6


def test_a_confirmed_hold_gives_its_slots_to_others(project, membership):
    work(membership, *[0.5] * 5)
    hold_confirm(hold=Hold.objects.get(), by=project.created_by)

    assert standing(membership) == Standing.STOPPED
    assert (slots_taken(), Judgment.objects.filter(counted=True).count()) == (0, 0)


def test_a_correction_of_what_is_held_back_is_held_back_too(project, membership):
    work(membership, *[0.5] * 5)
    first = Judgment.objects.order_by("pk").first()
    judge(first.assignment, (2, 1))
    assert not Judgment.objects.filter(counted=True).exists()

    hold_clear(hold=Hold.objects.get(), by=project.created_by)
    assert Judgment.objects.filter(counted=True, superseded_by=None).count() == 5
    assert slots_taken() == 5


def test_clearing_does_not_lift_a_pause(project, membership):
    work(membership, *[0.5] * 5)
    membership.refresh_from_db()
    standing_set(membership=membership, to=Standing.PAUSED, by=project.created_by, reason="wait")
    hold_clear(hold=Hold.objects.get(), by=project.created_by)

    assert standing(membership) == Standing.PAUSED


def test_chinese_takes_time_as_well(project, membership):
    for response in project.sources.first().responses.all():
        response.text = "沿着河边的小路一直走二十分钟就到了港口" * 3 + str(response.pk)
        response.save()
    work(membership, *[3.0] * 5)

    assert Hold.objects.count() == 1


def test_a_slow_judgment_costs_no_query(membership, django_assert_num_queries):
    work(membership, 30)
    judgment = Judgment.objects.select_related("assignment", "annotator", "task").get()

    with django_assert_num_queries(0):
        burst_hold(judgment=judgment)
