import itertools

import pytest
from django.db import IntegrityError, transaction

from feedback.domain.errors import Conflict, Halted
from feedback.domain.protocol import SkipReason
from feedback.domain.states import AssignmentState, BatchState, Role, Standing, TaskPurpose, UserKind
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Batch, Judgment, Membership, Task, Transition
from feedback.services.assignment import assignment_claim, assignment_prefetch, assignment_release
from feedback.services.drawing import task_drawn
from feedback.services.judgment import judgment_submit
from feedback.services.person import member_add, tags_opt_out
from tests.feedback.factories import (
    AssignmentFactory,
    GoldFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    TaskFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

_keys = itertools.count()


def known(project, purpose, n=1, **fields):
    return [GoldFactory(task__project=project, task__purpose=purpose, **fields).task for _ in range(n)]


def learner(project):
    return MembershipFactory(project=project, standing=Standing.LEARNING)


def judge(assignment, ranks=None):
    """Judge as the known answer says (item 0 first), or by other ranks of the items."""
    by_item = ranks or [item + 1 for item in range(len(assignment.order))]
    verdict = Verdict(ranks=tuple(by_item[item] for item in assignment.order))
    return judgment_submit(
        assignment_id=assignment.pk, annotator=assignment.annotator, verdict=verdict, client_key=f"draw-{next(_keys)}"
    ).judgment


def do_next(membership, ranks=None):
    assignment = assignment_claim(project=membership.project, annotator=membership.user)
    if assignment is not None:
        judge(assignment, ranks)
    membership.refresh_from_db()
    return assignment.task if assignment else None


def repeater_make():
    """Make somebody who judged eleven tasks, so that the first one comes again at the next claim."""
    project = ProjectFactory(repeat_share=0.5)
    membership = MembershipFactory(project=project, user__kind=UserKind.SIMULATED)
    for task in TaskFactory.create_batch(11, project=project):
        JudgmentFactory(assignment__task=task, assignment__annotator=membership.user)
        Task.objects.filter(pk=task.pk).update(open_slots=0)
    for membership.n_claims in range(1_000):
        drawn = task_drawn(membership=membership)
        if drawn is not None:
            drawn.delete()
            membership.save()
            return membership
    raise AssertionError


def draws(membership):
    """Return what would be drawn at twenty claims."""
    found = []
    for membership.n_claims in range(20):
        found.append(task_drawn(membership=membership))
    return [task for task in found if task is not None]


# Learning


def test_a_newcomer_gets_training_then_qualification_then_real_tasks():
    project = ProjectFactory()
    real = TaskFactory(project=project)
    test = known(project, TaskPurpose.QUALIFICATION)
    lessons = known(project, TaskPurpose.TRAINING, 2)
    membership = learner(project)

    assert [do_next(membership) for _ in range(4)] == [*lessons, *test, real]
    assert membership.standing == Standing.WORKING


def test_too_many_wrong_qualification_tasks_end_in_a_reason_with_the_figures():
    project = ProjectFactory(qualification_pass=0.6)
    TaskFactory(project=project)
    known(project, TaskPurpose.QUALIFICATION, 3)
    membership = learner(project)

    for ranks in (None, [2, 1], [2, 1]):
        do_next(membership, ranks)

    assert membership.standing == Standing.UNQUALIFIED
    assert "1 of 3" in membership.standing_reason
    assert "2 were needed" in membership.standing_reason
    logged = Transition.objects.get(object_type="feedback.membership", object_id=membership.pk)
    assert (logged.from_state, logged.to_state) == (Standing.LEARNING, Standing.UNQUALIFIED)
    assert logged.reason == "1 of 3 qualification tasks right, 2 needed"
    with pytest.raises(Halted, match="1 of 3"):
        do_next(membership)


def test_exactly_the_share_that_is_asked_for_is_enough():
    project = ProjectFactory(qualification_pass=0.5)
    known(project, TaskPurpose.QUALIFICATION, 2)
    membership = learner(project)
    do_next(membership, [2, 1])
    do_next(membership)
    assert membership.standing == Standing.WORKING


def test_a_tolerance_lets_a_slip_pass():
    project = ProjectFactory(qualification_pass=1.0)
    GoldFactory(
        task__project=project, task__purpose=TaskPurpose.QUALIFICATION, task__n_answers=3, ranks=[1, 2, 3],
        tolerance=0.34,
    )  # fmt: skip
    membership = learner(project)
    do_next(membership, [1, 3, 2])
    assert membership.standing == Standing.WORKING


def test_training_alone_lets_everybody_work_who_has_done_it():
    project = ProjectFactory()
    known(project, TaskPurpose.TRAINING, 2)
    membership = learner(project)
    do_next(membership, [2, 1])
    assert membership.standing == Standing.LEARNING
    do_next(membership, [2, 1])
    assert membership.standing == Standing.WORKING


def test_skipping_a_qualification_task_is_no_way_around_it():
    project = ProjectFactory(qualification_pass=0.5)
    TaskFactory(project=project)
    known(project, TaskPurpose.QUALIFICATION)
    membership = learner(project)
    assignment = assignment_claim(project=project, annotator=membership.user)
    assignment_release(assignment=assignment, annotator=membership.user, reason=SkipReason.OTHER)

    with pytest.raises(Halted, match="0 of 1"):
        assignment_claim(project=project, annotator=membership.user)
    membership.refresh_from_db()
    assert membership.standing == Standing.UNQUALIFIED


def test_retiring_the_last_lesson_lets_learners_work():
    project = ProjectFactory()
    real = TaskFactory(project=project)
    [task] = known(project, TaskPurpose.QUALIFICATION)
    membership = learner(project)
    task.gold.retired_at = task.created_at
    task.gold.save()
    assert do_next(membership) == real


def test_a_lesson_with_an_unwanted_tag_is_left_out():
    project = ProjectFactory(qualification_pass=1.0)
    real = TaskFactory(project=project)
    known(project, TaskPurpose.QUALIFICATION, task__prompt__tags=["violence"])
    membership = learner(project)
    tags_opt_out(project=project, user=membership.user, tags=["violence"])
    assert do_next(membership) == real


def test_a_lapsed_lesson_comes_again():
    project = ProjectFactory()
    [task] = known(project, TaskPurpose.TRAINING)
    membership = learner(project)
    assignment = assignment_claim(project=project, annotator=membership.user)
    Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=assignment.created_at)
    assert do_next(membership) == task


def test_training_and_qualification_cannot_be_corrected():
    project = ProjectFactory()
    TaskFactory(project=project)
    known(project, TaskPurpose.TRAINING)
    known(project, TaskPurpose.QUALIFICATION)
    membership = learner(project)
    for _lesson in range(2):
        assignment = assignment_claim(project=project, annotator=membership.user)
        judge(assignment, [2, 1])
        with pytest.raises(Conflict, match="cannot be changed"):
            judge(assignment, [1, 2])
    assert Judgment.objects.count() == 2


@pytest.mark.parametrize("purpose", [TaskPurpose.TRAINING, TaskPurpose.QUALIFICATION])
def test_new_annotators_learn_where_there_is_something_to_learn(purpose):
    project = ProjectFactory()
    before = member_add(project=project, user=UserFactory(), role=Role.ANNOTATOR, by=None)
    known(project, TaskPurpose.GOLD)
    still = member_add(project=project, user=UserFactory(), role=Role.ANNOTATOR, by=None)
    known(project, purpose)
    after = member_add(project=project, user=UserFactory(), role=Role.ANNOTATOR, by=None)
    other = member_add(project=project, user=UserFactory(), role=Role.RESEARCHER, by=None)
    again = member_add(project=project, user=before.user, role=Role.ANNOTATOR, by=None)

    assert after.standing == Standing.LEARNING
    assert {member.standing for member in (before, still, other, again)} == {Standing.WORKING}


# Gold


def test_without_shares_nothing_is_drawn_and_nothing_is_asked(django_assert_num_queries):
    project = ProjectFactory()
    known(project, TaskPurpose.GOLD)
    membership = MembershipFactory(project=project)
    with django_assert_num_queries(0):
        assert task_drawn(membership=membership) is None


def test_about_the_wished_share_is_gold_and_everybody_gets_each_once():
    project = ProjectFactory(gold_share=0.3)
    TaskFactory.create_batch(60, project=project)
    golds = known(project, TaskPurpose.GOLD, 12)
    membership = MembershipFactory(project=project)
    done = [do_next(membership) for _ in range(40)]
    drawn = [task for task in done if task.purpose == TaskPurpose.GOLD]
    assert 5 <= len(drawn) <= 12
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= set(golds)


def test_the_same_count_draws_the_same_task():
    project = ProjectFactory(gold_share=0.5)
    known(project, TaskPurpose.GOLD, 5)
    membership = MembershipFactory(project=project)
    first, second = draws(membership), draws(membership)
    assert first == second
    assert 4 <= len(first) <= 16
    assert len(set(first)) > 2


def test_retired_and_unwanted_gold_is_not_drawn():
    project = ProjectFactory(gold_share=0.5)
    known(project, TaskPurpose.GOLD, 3, retired_at=project.created_at)
    known(project, TaskPurpose.GOLD, 3, task__prompt__tags=["violence"])
    assert draws(MembershipFactory(project=project, opted_out_tags=["violence"])) == []


def test_gold_can_be_corrected_as_long_as_those_among_which_it_hides():
    project = ProjectFactory(gold_share=0.5)
    TaskFactory.create_batch(5, project=project)
    known(project, TaskPurpose.GOLD, 5)
    membership = MembershipFactory(project=project)
    while not (gold := Assignment.objects.filter(task__purpose=TaskPurpose.GOLD).first()):
        do_next(membership)

    assert judge(gold, [2, 1]).supersedes is not None
    Batch.objects.update(state=BatchState.CLOSED)
    with pytest.raises(Conflict, match="batch is closed"):
        judge(gold, [1, 2])


# Repeats


@pytest.fixture
def repeater():
    return repeater_make()


def test_a_repeat_is_the_same_task_once_more_for_the_same_person(repeater):
    assignment = assignment_claim(project=repeater.project, annotator=repeater.user)
    original = Task.objects.filter(purpose=TaskPurpose.LABEL).earliest("pk")
    repeat = assignment.task
    assert (repeat.purpose, repeat.repeat_of, repeat.reserved_for) == (TaskPurpose.REPEAT, original, repeater.user)
    assert (repeat.batch, repeat.prompt, repeat.overlap) == (original.batch, original.prompt, 1)
    assert Task.objects.get(pk=repeat.pk).open_slots == 0
    items = [list(task.items.values_list("item", "response")) for task in (original, repeat)]
    assert items[0] == items[1]
    judge(assignment)
    assert original not in {drawn.repeat_of for drawn in draws(repeater)}


def test_ten_judgments_ago_is_not_long_enough(repeater):
    Judgment.objects.earliest("pk").delete()
    assert draws(repeater) == []


def test_a_closed_batch_is_not_repeated(repeater):
    Batch.objects.update(state=BatchState.CLOSED)
    assert draws(repeater) == []


def test_a_repeat_that_could_not_be_handed_out_is_not_left_behind(repeater, monkeypatch):
    monkeypatch.setattr("feedback.services.assignment.slot_take", lambda *, task_id: False)
    assert assignment_claim(project=repeater.project, annotator=repeater.user) is None
    assert not Task.objects.filter(purpose=TaskPurpose.REPEAT).exists()


def test_a_lapsed_repeat_comes_again_and_not_a_second_one(repeater):
    first = assignment_claim(project=repeater.project, annotator=repeater.user)
    Assignment.objects.filter(pk=first.pk).update(lease_expires_at=first.created_at)
    Membership.objects.filter(pk=repeater.pk).update(n_claims=repeater.n_claims)
    again = assignment_claim(project=repeater.project, annotator=repeater.user)
    assert (again.pk, again.state) == (first.pk, AssignmentState.HELD)
    assert Task.objects.filter(purpose=TaskPurpose.REPEAT).count() == 1


def test_a_repeat_can_be_fetched_in_advance(repeater):
    AssignmentFactory(task=TaskFactory(project=repeater.project), annotator=repeater.user)
    fetched = assignment_prefetch(project=repeater.project, annotator=repeater.user)
    assert fetched.task.purpose == TaskPurpose.REPEAT


def test_a_second_device_cannot_make_the_same_repeat(repeater):
    original = task_drawn(membership=repeater).repeat_of
    with pytest.raises(IntegrityError), transaction.atomic():
        TaskFactory(project=repeater.project, repeat_of=original, reserved_for=repeater.user)
