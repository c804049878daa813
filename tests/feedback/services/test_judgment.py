import datetime as dt

import pytest
from django.utils import timezone

from feedback.domain.errors import Conflict, Invalid, LeaseLost, NotAllowed, RankError
from feedback.domain.protocol import SkipReason
from feedback.domain.states import AssignmentState
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Judgment, Transition
from feedback.services.assignment import assignment_claim, assignment_release, assignment_show, assignments_expire
from feedback.services.batch import batch_close, batch_reopen
from feedback.services.judgment import judgment_submit
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(overlap=1)


@pytest.fixture
def task(project):
    return TaskFactory(project=project, n_answers=3)


@pytest.fixture
def annotator(project):
    return MembershipFactory(project=project).user


@pytest.fixture
def assignment(project, task, annotator):
    return assignment_show(assignment=assignment_claim(project=project, annotator=annotator))


def submit(assignment, *ranks, key="key", rationale="", active_s=None, **said):
    return judgment_submit(
        assignment_id=assignment.pk,
        annotator=assignment.annotator,
        verdict=Verdict(ranks=ranks, **said),
        client_key=key,
        rationale=rationale,
        active_s=active_s,
    )


def end_lease(assignment):
    assert assignments_expire(now=assignment.lease_expires_at + dt.timedelta(seconds=1)) == 1


def test_ranks_are_stored_by_answer_in_normal_form(assignment, task):
    submitted = submit(assignment, 1, 1, 2, rationale="both fine", flags=[(0, "untrue")], active_s=12.5)

    judgment = submitted.judgment
    assert submitted.created
    assert [judgment.ranks[item] for item in assignment.order] == [1, 1, 3]
    assert (judgment.n_pairs, judgment.n_ties, judgment.counted) == (2, 1, True)
    assert judgment.flags == [{"item": assignment.order[0], "flag": "untrue"}]
    assert (judgment.rationale, judgment.active_s) == ("both fine", 12.5)


def test_a_submit_ends_the_assignment_and_keeps_the_slot(assignment, task, annotator):
    submit(assignment, 1, 2, 3)

    assignment.refresh_from_db()
    task.refresh_from_db()
    assert (assignment.state, task.open_slots) == (AssignmentState.SUBMITTED, 0)
    moves = Transition.objects.filter(object_type="feedback.assignment").order_by("pk")
    assert list(moves.values_list("from_state", "to_state", "actor")) == [
        ("", "held", annotator.pk),
        ("held", "submitted", annotator.pk),
    ]


def test_submitting_twice_keeps_the_first_judgment(assignment):
    first = submit(assignment, 1, 2, 3)
    second = submit(assignment, 1, 2, 3)

    assert (first.created, second.created) == (True, False)
    assert first.judgment == second.judgment
    assert Judgment.objects.count() == 1


def test_a_used_key_with_other_ranks_is_a_conflict_not_a_silent_loss(assignment):
    submit(assignment, 1, 2, 3)

    with pytest.raises(Conflict, match="under a new key"):
        submit(assignment, 3, 2, 1)


def test_a_key_belongs_to_one_task(project, assignment, annotator):
    submit(assignment, 1, 2, 3)
    TaskFactory(project=project, n_answers=3)
    other = assignment_claim(project=project, annotator=annotator)

    with pytest.raises(Conflict, match="another judgment"):
        submit(other, 1, 2, 3)
    other.refresh_from_db()
    assert other.state == AssignmentState.HELD


def test_two_people_may_use_the_same_key(project, assignment):
    submit(assignment, 1, 2, 3)
    TaskFactory(project=project, n_answers=3)
    other = assignment_claim(project=project, annotator=MembershipFactory(project=project).user)

    assert submit(other, 1, 2, 3).created


def test_a_correction_supersedes_and_leaves_the_slots_alone(assignment, task):
    first = submit(assignment, 1, 2, 3, key="first").judgment
    second = submit(assignment, 3, 2, 1, key="second").judgment
    third = submit(assignment, 1, 1, 1, key="third").judgment

    task.refresh_from_db()
    assert (second.supersedes, third.supersedes) == (first, second)
    assert list(Judgment.objects.filter(superseded_by=None, counted=True)) == [third]
    assert task.open_slots == 0


def test_a_closed_batch_refuses_corrections(assignment, task):
    submit(assignment, 1, 2, 3, key="first")
    batch_close(batch=task.batch)

    with pytest.raises(Conflict, match="closed"):
        submit(assignment, 3, 2, 1, key="second")
    assert submit(assignment, 1, 2, 3, key="first").created is False
    batch_reopen(batch=task.batch)
    assert submit(assignment, 3, 2, 1, key="second").created


def test_a_lease_that_ran_while_the_batch_closed_is_still_taken_and_counts(assignment, task):
    batch_close(batch=task.batch)

    assert submit(assignment, 1, 2, 3).judgment.counted


def test_after_the_lease_a_judgment_counts_when_the_slot_is_free(assignment, task):
    end_lease(assignment)

    late = submit(assignment, 1, 2, 3).judgment

    task.refresh_from_db()
    assert (late.counted, task.open_slots) == (True, 0)


def test_a_lease_that_ran_out_unnoticed_still_has_its_slot(assignment, task):
    Assignment.objects.update(lease_expires_at=timezone.now() - dt.timedelta(hours=1))

    assert submit(assignment, 1, 2, 3).judgment.counted
    task.refresh_from_db()
    assert task.open_slots == 0


def test_a_late_judgment_whose_slot_is_gone_is_kept_but_not_counted(project, assignment, task):
    end_lease(assignment)
    next_one = assignment_claim(project=project, annotator=MembershipFactory(project=project).user)

    late = submit(assignment, 1, 2, 3).judgment
    in_time = submit(next_one, 3, 2, 1).judgment

    task.refresh_from_db()
    assert (late.counted, in_time.counted, task.open_slots) == (False, True, 0)


def test_a_correction_of_a_late_judgment_is_as_late(project, assignment):
    end_lease(assignment)
    assignment_claim(project=project, annotator=MembershipFactory(project=project).user)
    submit(assignment, 1, 2, 3, key="first")

    assert submit(assignment, 3, 2, 1, key="second").judgment.counted is False


def test_a_late_judgment_after_the_batch_closed_waits_for_the_next_round(assignment, task):
    end_lease(assignment)
    batch_close(batch=task.batch)

    assert submit(assignment, 1, 2, 3).judgment.counted


def test_a_skipped_task_takes_no_judgment(assignment, annotator):
    assignment_release(assignment=assignment, annotator=annotator, reason=SkipReason.OTHER)

    with pytest.raises(LeaseLost, match="gave this task back"):
        submit(assignment, 1, 2, 3)
    assert not Judgment.objects.exists()


def test_nobody_judges_for_another(project, assignment):
    other = MembershipFactory(project=project).user

    for assignment_id in (assignment.pk, 123_456):
        with pytest.raises(NotAllowed):
            judgment_submit(
                assignment_id=assignment_id, annotator=other, verdict=Verdict(ranks=(1, 2, 3)), client_key="k"
            )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"verdict": Verdict(ranks=(1, 2))}, RankError),
        ({"verdict": Verdict(ranks=(2, 3, 4))}, RankError),
        ({"client_key": ""}, Invalid),
        ({"client_key": "k" * 65}, Invalid),
        ({"client_key": "a\x00"}, Invalid),
        ({"rationale": "a\x00"}, Invalid),
        ({"rationale": "x" * 10_001}, Invalid),
        ({"verdict": Verdict(ranks=(1, 2, 3), flags=((0, "rude"),))}, Invalid),
        ({"verdict": Verdict(ranks=(1, 2, 3), flags=((3, "unsafe"),))}, Invalid),
        ({"active_s": -0.1}, Invalid),
        ({"active_s": float("nan")}, Invalid),
    ],
)
def test_bad_input_changes_nothing(assignment, changes, error):
    values = {"verdict": Verdict(ranks=(1, 2, 3)), "client_key": "k"} | changes

    with pytest.raises(error):
        judgment_submit(assignment_id=assignment.pk, annotator=assignment.annotator, **values)

    assignment.refresh_from_db()
    assert assignment.state == AssignmentState.HELD
    assert not Judgment.objects.exists()


def test_a_submit_needs_few_queries(assignment, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):  # savepoints included
        submit(assignment, 1, 2, 3)
