import datetime as dt

import pytest
from django.utils import timezone

from feedback.domain.errors import LeaseLost, NotAllowed
from feedback.domain.protocol import SkipReason
from feedback.domain.states import AssignmentState, BatchState, Role, TaskPurpose
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Conversation, Membership, Transition, Turn
from feedback.selectors.assignment import assignment_live
from feedback.selectors.task import queue_count
from feedback.services.assignment import (
    PREFETCH_LEASE_S,
    assignment_claim,
    assignment_prefetch,
    assignment_release,
    assignment_show,
    assignments_expire,
)
from feedback.services.batch import batch_close
from feedback.services.judgment import judgment_submit
from feedback.services.person import member_remove
from tests.feedback.factories import (
    AssignmentFactory,
    MembershipFactory,
    ProjectFactory,
    ProtocolFactory,
    TaskFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(overlap=1)


@pytest.fixture
def annotator(project):
    return MembershipFactory(project=project).user


def later(seconds):
    return timezone.now() + dt.timedelta(seconds=seconds)


def test_a_claim_takes_one_slot_and_holds_it_for_two_minutes_until_shown(project, annotator):
    task = TaskFactory(project=project, overlap=2)

    assignment = assignment_claim(project=project, annotator=annotator)

    task.refresh_from_db()
    assert (assignment.task, task.open_slots) == (task, 1)
    assert assignment.shown_at is None
    assert timezone.now() < assignment.lease_expires_at <= later(PREFETCH_LEASE_S)


def test_showing_starts_the_full_lease_once(project, annotator):
    TaskFactory(project=project)
    assignment = assignment_claim(project=project, annotator=annotator)

    first = assignment_show(assignment=assignment).lease_expires_at
    again = assignment_show(assignment=assignment).lease_expires_at

    assert first == again
    assert later(project.lease_s - 5) < first <= later(project.lease_s)


def test_a_second_claim_returns_the_same_assignment(project, annotator):
    TaskFactory.create_batch(3, project=project)

    first = assignment_claim(project=project, annotator=annotator)
    second = assignment_claim(project=project, annotator=annotator)

    assert first == second
    assert Assignment.objects.count() == 1


def test_two_annotators_never_share_the_last_slot(project, annotator):
    TaskFactory(project=project)
    other = MembershipFactory(project=project).user

    assert assignment_claim(project=project, annotator=annotator) is not None
    assert assignment_claim(project=project, annotator=other) is None


def test_higher_priority_comes_first(project, annotator):
    TaskFactory.create_batch(3, project=project)
    urgent = TaskFactory(project=project, priority=5)

    assert assignment_claim(project=project, annotator=annotator).task == urgent


def test_nothing_is_claimed_from_a_closed_batch(project, annotator):
    task = TaskFactory(project=project)
    batch_close(batch=task.batch)

    assert assignment_claim(project=project, annotator=annotator) is None


def test_only_annotators_of_the_project_claim(project):
    TaskFactory(project=project)
    researcher = MembershipFactory(project=project, role=Role.RESEARCHER).user
    former = MembershipFactory(project=project, is_active=False).user

    for person in (researcher, former):
        with pytest.raises(NotAllowed, match="not an annotator"):
            assignment_claim(project=project, annotator=person)


def test_an_expired_lease_gives_its_slot_to_the_next_annotator(project, annotator):
    task = TaskFactory(project=project)
    lost = assignment_claim(project=project, annotator=annotator)
    Assignment.objects.update(lease_expires_at=later(-1))
    other = MembershipFactory(project=project).user

    taken = assignment_claim(project=project, annotator=other)

    lost.refresh_from_db()
    assert (taken.task, lost.state) == (task, AssignmentState.EXPIRED)


def test_expiring_twice_gives_a_slot_back_once(project, annotator):
    task = TaskFactory(project=project, overlap=2)
    assignment_claim(project=project, annotator=annotator)

    assert assignments_expire(now=later(PREFETCH_LEASE_S + 1)) == 1
    assert assignments_expire(now=later(PREFETCH_LEASE_S + 1)) == 0
    task.refresh_from_db()
    assert task.open_slots == 2


def test_a_person_who_let_a_lease_run_out_can_take_the_task_again(project, annotator):
    TaskFactory(project=project)
    first = assignment_claim(project=project, annotator=annotator)
    assignment_show(assignment=first)
    Assignment.objects.update(lease_expires_at=later(-1))

    again = assignment_claim(project=project, annotator=annotator)

    assert again.pk == first.pk
    assert (again.state, again.shown_at) == (AssignmentState.HELD, None)


def test_a_skipped_task_goes_to_others_and_not_back(project, annotator):
    task = TaskFactory(project=project)
    assignment = assignment_claim(project=project, annotator=annotator)

    assignment_release(assignment=assignment, annotator=annotator, reason=SkipReason.EXPERTISE, note="crepes")

    other = MembershipFactory(project=project).user
    assert assignment_claim(project=project, annotator=annotator) is None
    assert assignment_claim(project=project, annotator=other).task == task
    assert Transition.objects.get(to_state="released").reason == "expertise: crepes"


def test_a_skip_gives_the_slot_back_once(project, annotator):
    task = TaskFactory(project=project)
    assignment = assignment_claim(project=project, annotator=annotator)
    twin = Assignment.objects.get(pk=assignment.pk)
    assignment_release(assignment=assignment, annotator=annotator, reason=SkipReason.OTHER)

    with pytest.raises(Exception, match="changed meanwhile"):
        assignment_release(assignment=twin, annotator=annotator, reason=SkipReason.OTHER)
    with pytest.raises(LeaseLost):
        assignment_release(assignment=assignment, annotator=annotator, reason=SkipReason.OTHER)

    task.refresh_from_db()
    assert task.open_slots == 1


def test_nobody_skips_for_another(project, annotator):
    TaskFactory(project=project)
    assignment = assignment_claim(project=project, annotator=annotator)

    with pytest.raises(NotAllowed):
        assignment_release(
            assignment=assignment, annotator=MembershipFactory(project=project).user, reason=SkipReason.OTHER
        )


def test_removing_an_annotator_frees_what_they_hold(project, annotator):
    task = TaskFactory(project=project)
    assignment_claim(project=project, annotator=annotator)

    member_remove(project=project, user=annotator, by=project.created_by)

    task.refresh_from_db()
    assert task.open_slots == 1
    assert not Membership.objects.get(user=annotator).is_active


def test_the_blind_order_differs_between_annotators(project):
    task = TaskFactory(project=project, overlap=20, n_answers=6)
    orders = set()
    for _ in range(20):
        assignment = assignment_claim(project=project, annotator=MembershipFactory(project=project).user)
        assert sorted(assignment.order) == list(range(6))
        orders.add(tuple(assignment.order))

    assert task.assignments.count() == 20
    assert len(orders) > 10


def test_the_guidelines_shown_are_the_guidelines_recorded(project, annotator):
    TaskFactory(project=project)
    assignment = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
    shown = assignment.protocol
    ProtocolFactory(project=project, guidelines="Now the other way round.")

    submitted = judgment_submit(
        assignment_id=assignment.pk, annotator=annotator, verdict=Verdict(ranks=(1, 2)), client_key="k"
    )

    assert submitted.judgment.protocol == shown


def test_the_queue_counts_what_this_person_can_still_do(project, annotator):
    TaskFactory.create_batch(3, project=project)
    closed = TaskFactory(project=project).batch
    other = MembershipFactory(project=project).user
    assert queue_count(project=project, annotator=annotator) == 4

    assignment_claim(project=project, annotator=annotator)
    assert queue_count(project=project, annotator=annotator) == 4
    assert queue_count(project=project, annotator=other) == 3

    closed.state = BatchState.CLOSED
    closed.save()
    assert queue_count(project=project, annotator=other) == 0


def test_a_claim_needs_few_queries(project, annotator, django_assert_max_num_queries):
    TaskFactory.create_batch(5, project=project)

    with django_assert_max_num_queries(18):  # savepoints and transaction marks included
        assignment_claim(project=project, annotator=annotator)


def test_the_next_task_is_held_for_two_minutes_beside_the_one_in_hand(project, annotator):
    TaskFactory.create_batch(4, project=project)
    in_hand = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))

    following = assignment_prefetch(project=project, annotator=annotator)
    again = assignment_prefetch(project=project, annotator=annotator)

    assert following == again
    assert following.task != in_hand.task
    assert following.shown_at is None
    assert timezone.now() < following.lease_expires_at <= later(PREFETCH_LEASE_S)
    assert assignment_live(project=project, annotator=annotator) == in_hand
    assert assignment_claim(project=project, annotator=annotator) == in_hand
    assert Assignment.objects.count() == 2


def test_after_a_submit_the_prefetched_task_comes_first_and_its_full_lease_begins(project, annotator):
    TaskFactory.create_batch(4, project=project)
    TaskFactory(project=project, priority=5)
    in_hand = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
    following = assignment_prefetch(project=project, annotator=annotator)
    TaskFactory(project=project, priority=9)
    verdict = Verdict(ranks=(1, 2))
    judgment_submit(assignment_id=in_hand.pk, annotator=annotator, verdict=verdict, client_key="k")

    shown = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))

    assert shown == following
    assert later(project.lease_s - 5) < shown.lease_expires_at


def test_without_a_task_in_hand_nothing_is_prefetched(project, annotator):
    TaskFactory(project=project)

    assert assignment_prefetch(project=project, annotator=annotator) is None
    assert not Assignment.objects.exists()
    with pytest.raises(NotAllowed):
        assignment_prefetch(project=project, annotator=MembershipFactory(role=Role.ANNOTATOR).user)


def test_a_prefetched_task_that_nobody_looked_at_goes_back_after_two_minutes(project, annotator):
    TaskFactory.create_batch(2, project=project)
    assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
    forgotten = assignment_prefetch(project=project, annotator=annotator)

    assert assignments_expire(now=later(PREFETCH_LEASE_S + 1)) == 1
    other = MembershipFactory(project=project).user
    assert assignment_claim(project=project, annotator=other).task == forgotten.task


def test_what_was_prefetched_is_judged_under_the_guidelines_that_were_on_its_page(project, annotator):
    TaskFactory.create_batch(2, project=project)
    in_hand = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
    following = assignment_prefetch(project=project, annotator=annotator)
    ProtocolFactory(project=project, guidelines="Now the other way round.")
    assignment_release(assignment=in_hand, annotator=annotator, reason=SkipReason.OTHER)

    shown = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))

    assert (shown, shown.protocol.number) == (following, 1)


def test_a_task_taken_again_is_shown_under_the_guidelines_of_that_day(project, annotator):
    TaskFactory(project=project)
    assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
    Assignment.objects.update(lease_expires_at=later(-1))
    ProtocolFactory(project=project, guidelines="Now the other way round.")

    again = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))

    assert again.protocol.number == 2


@pytest.mark.parametrize("tag", ["violence", "Gewalt & Blut", "暴力", 'say "no"', "a\\b"])
def test_prompts_with_a_tag_that_somebody_opted_out_of_are_never_claimed(project, annotator, tag):
    TaskFactory(project=project, prompt__tags=["calm", tag], priority=9)
    calm = TaskFactory(project=project, prompt__tags=["calm", f"no {tag}", tag.upper() + "!"])
    Membership.objects.update(opted_out_tags=["spiders", tag])

    assert queue_count(project=project, annotator=annotator) == 1
    assignment = assignment_show(assignment=assignment_claim(project=project, annotator=annotator))
    assert assignment.task == calm
    assert assignment_prefetch(project=project, annotator=annotator) is None
    Membership.objects.update(opted_out_tags=[])
    assert queue_count(project=project, annotator=annotator) == 2


def test_a_turn_of_a_live_conversation_is_no_task_of_the_queue(project, annotator):
    queued, live = TaskFactory(project=project), TaskFactory(project=project, purpose=TaskPurpose.LIVE)
    conversation = Conversation.objects.create(project=project, annotator=annotator, batch=live.batch)
    Turn.objects.create(conversation=conversation, number=1, prompt=live.prompt, task=live)
    AssignmentFactory(task=live, annotator=annotator)

    assert assignment_claim(project=project, annotator=annotator).task == queued
