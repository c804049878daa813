"""Who gets no task, and what they read instead: paused, held back, excluded, done for the day."""

import datetime as dt

import pytest
from django.utils import timezone

from feedback.domain.errors import Conflict, Halted, Invalid
from feedback.domain.states import AssignmentState, IllegalTransition, Standing
from feedback.models import Assignment, Judgment, Membership, Transition
from feedback.services.annotator import annotator_cap, annotator_pause
from feedback.services.assignment import assignment_claim, assignment_prefetch, assignment_show
from feedback.services.exclusion import annotator_restore
from feedback.services.standing import standing_check, standing_set
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory
from tests.feedback.judging import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    project = ProjectFactory()
    TaskFactory.create_batch(6, project=project)
    return project


@pytest.fixture
def membership(project):
    return MembershipFactory(project=project)


def claim(membership):
    return assignment_show(assignment=assignment_claim(project=membership.project, annotator=membership.user))


def work(membership, n):
    for _ in range(n):
        judge(claim(membership), (1, 2))


@pytest.mark.parametrize("standing", [Standing.STOPPED, Standing.UNQUALIFIED, Standing.EXCLUDED, Standing.PAUSED])
def test_whoever_may_not_work_gets_no_task_and_a_sentence(membership, standing):
    Membership.objects.filter(pk=membership.pk).update(standing=standing)

    with pytest.raises(Halted) as halted:
        claim(membership)
    assert halted.value.message
    assert not Assignment.objects.exists()


def test_a_pause_says_why_lets_the_task_in_hand_be_finished_and_takes_the_fetched_one(project, membership):
    in_hand = claim(membership)
    fetched = assignment_prefetch(project=project, annotator=membership.user)

    annotator_pause(membership=membership, by=project.created_by, reason="Read the new guidelines.")

    fetched.refresh_from_db()
    assert fetched.state == AssignmentState.EXPIRED
    assert judge(in_hand, (1, 2)).counted
    with pytest.raises(Halted, match=r"has paused your work\. Read the new guidelines\."):
        claim(membership)
    moved = Transition.objects.get(object_type="feedback.membership")
    assert (moved.from_state, moved.to_state, moved.actor) == ("working", "paused", project.created_by)

    annotator_restore(membership=membership, to=Standing.WORKING, by=project.created_by)
    assert claim(membership)


def test_a_pause_needs_a_reason(project, membership):
    with pytest.raises(Invalid):
        annotator_pause(membership=membership, by=project.created_by, reason=" ")


def test_only_legal_moves_are_made_and_only_one_of_two_at_once(project, membership):
    with pytest.raises(IllegalTransition):
        standing_set(membership=membership, to=Standing.UNQUALIFIED, by=None)
    twin = Membership.objects.get(pk=membership.pk)
    standing_set(membership=membership, to=Standing.PAUSED, by=None, reason="a")
    with pytest.raises(Conflict):
        standing_set(membership=twin, to=Standing.EXCLUDED, by=None, reason="b")
    assert Membership.objects.get().standing == Standing.PAUSED


def test_a_days_limit_ends_the_day_and_counts_no_corrections(project, membership):
    annotator_cap(membership=membership, by=project.created_by, daily_cap=2)
    first = claim(membership)
    judge(first, (1, 2))
    judge(first, (2, 1))  # a correction
    work(membership, 1)

    with pytest.raises(Halted, match="today's limit of 2 judgments"):
        claim(membership)
    Judgment.objects.update(created_at=timezone.now() - dt.timedelta(days=1, hours=1))
    assert claim(membership)


def test_a_prefetched_task_never_oversteps_the_limit(project, membership):
    project.daily_cap = 1
    project.save()
    claim(membership)

    with pytest.raises(Halted, match="today's limit of 1 "):
        assignment_prefetch(project=project, annotator=membership.user)


def test_a_persons_own_limit_goes_before_the_projects(project, membership):
    project.daily_cap = 1
    project.save()
    annotator_cap(membership=membership, by=project.created_by, daily_cap=3)
    work(membership, 3)

    with pytest.raises(Halted, match="limit of 3"):
        claim(membership)


def test_the_day_begins_at_midnight_where_the_person_lives(project, membership):
    membership.user.time_zone = "Pacific/Kiritimati"  # 14 hours before UTC
    membership.user.save()
    membership.daily_cap = 1
    membership.save()
    work(membership, 1)
    here = timezone.now() + dt.timedelta(hours=14)
    midnight = timezone.now() - dt.timedelta(hours=here.hour, minutes=here.minute, seconds=here.second)

    Judgment.objects.update(created_at=midnight - dt.timedelta(seconds=2))
    standing_check(membership=Membership.objects.select_related("project", "user").get())

    Judgment.objects.update(created_at=midnight + dt.timedelta(seconds=2))
    with pytest.raises(Halted, match="Pacific/Kiritimati"):
        standing_check(membership=Membership.objects.select_related("project", "user").get())


def test_no_limit_costs_no_query(membership, django_assert_num_queries):
    loaded = Membership.objects.select_related("project", "user").get()
    with django_assert_num_queries(0):
        standing_check(membership=loaded)
