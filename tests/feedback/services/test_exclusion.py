"""Excluding somebody: their tasks go to others, whole and restartable; undoing it gives back what is still free."""

import pytest

from feedback.domain.errors import Halted, Invalid
from feedback.domain.states import AssignmentState, Standing
from feedback.models import Judgment, Membership, Task
from feedback.selectors.annotator import exclusion_progress, exclusions_unfinished, snapshots_with
from feedback.services import exclusion
from feedback.services.assignment import assignment_claim, assignment_prefetch, assignment_show, assignments_expire
from feedback.services.batch import batch_close
from feedback.services.block import block_give
from feedback.services.exclusion import (
    annotator_exclude,
    annotator_restore,
    exclusion_apply,
    exclusions_apply,
)
from tests.feedback.factories import (
    AssignmentFactory,
    BatchFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    SnapshotFactory,
    TaskFactory,
)
from tests.feedback.judging import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    project = ProjectFactory()
    TaskFactory.create_batch(4, project=project)
    return project


@pytest.fixture
def membership(project):
    return MembershipFactory(project=project)


def claim(membership):
    return assignment_show(assignment=assignment_claim(project=membership.project, annotator=membership.user))


def work(membership, n):
    return [judge(claim(membership), (1, 2)) for _ in range(n)]


def exclude(membership):
    annotator_exclude(membership=membership, by=membership.project.created_by, reason="clicks at random")


def restore(membership, to=Standing.WORKING):
    annotator_restore(membership=membership, to=to, by=membership.project.created_by)


def counted(membership):
    return Judgment.objects.filter(annotator=membership.user, counted=True).count()


def slots_are_exact():
    for task in Task.objects.all():
        live = task.assignments.filter(state=AssignmentState.HELD).count()
        standing = task.judgments.filter(counted=True, superseded_by=None).count()
        assert task.overlap == task.open_slots + live + standing, task
    return True


def test_all_they_judged_goes_to_others(membership):
    first, *_ = work(membership, 3)
    judge(first.assignment, (2, 1))  # a correction goes with what it corrects
    in_hand = claim(membership)

    exclude(membership)

    in_hand.refresh_from_db()
    assert in_hand.state == AssignmentState.EXPIRED
    assert counted(membership) == 0
    assert set(Task.objects.values_list("open_slots", flat=True)) == {1}
    with pytest.raises(Halted, match="no longer work on this project"):
        claim(membership)
    assert slots_are_exact()


def test_a_reason_is_needed(membership):
    with pytest.raises(Invalid):
        annotator_exclude(membership=membership, by=membership.project.created_by, reason="")


def test_what_is_submitted_late_after_an_exclusion_does_not_count(membership):
    in_hand = claim(membership)
    exclude(membership)

    assert judge(in_hand, (1, 2)).counted is False
    assert slots_are_exact()


def test_closed_batches_and_snapshots_stay_as_they_are(project, membership):
    judgments = work(membership, 2)
    snapshot = SnapshotFactory(project=project, judgment_ids=[judgments[0].pk])
    SnapshotFactory(project=project)
    batch_close(batch=judgments[0].task.batch)
    TaskFactory(project=project, batch=BatchFactory(project=project))
    work(membership, 1)

    exclude(membership)

    assert counted(membership) == 2
    assert snapshots_with(membership=membership) == [(snapshot, 1)]


def test_undoing_it_counts_again_what_nobody_else_has_judged(project, membership):
    work(membership, 4)
    exclude(membership)
    work(MembershipFactory(project=project), 1)

    restore(membership)

    assert counted(membership) == 3
    assert not Judgment.objects.filter(is_excluded=True).exists()
    assert slots_are_exact()
    exclude(membership)
    assert (counted(membership), slots_are_exact()) == (0, True)


def test_a_late_judgment_does_not_begin_to_count_by_an_exclusion_and_its_undoing(project, membership):
    late = claim(membership)
    late.lease_expires_at = late.created_at
    late.save()
    assignments_expire(project=project)
    other = MembershipFactory(project=project)
    judgment = judge(AssignmentFactory(task=late.task, annotator=other.user), (1, 2))
    Task.objects.filter(pk=late.task_id).update(open_slots=0)
    assert judge(late, (1, 2)).counted is False

    exclude(membership)
    Task.objects.filter(pk=late.task_id).update(open_slots=1)
    Judgment.objects.filter(pk=judgment.pk).update(counted=False)
    restore(membership)

    assert counted(membership) == 0


def test_a_worker_that_dies_in_the_middle_leaves_whole_tasks_and_the_rest_is_found_again(membership, monkeypatch):
    work(membership, 4)
    monkeypatch.setattr(exclusion, "AT_ONCE", 1)
    monkeypatch.setattr(exclusion, "dispatch", lambda *_, **__: None)  # the message is lost
    exclude(membership)

    progress = exclusion_progress(membership=membership)
    assert (progress.n_left, progress.n_done) == (3, 1)
    assert slots_are_exact()
    assert exclusions_unfinished() == [membership]

    assert exclusion_apply(membership_id=membership.pk, at_most=1) is False
    exclusions_apply()
    assert exclusion_progress(membership=membership).n_left == 0
    assert (counted(membership), exclusions_unfinished()) == (0, [])


def test_an_undoing_overtakes_an_exclusion_that_is_not_done(membership, monkeypatch):
    work(membership, 4)
    monkeypatch.setattr(exclusion, "AT_ONCE", 1)
    monkeypatch.setattr(exclusion, "dispatch", lambda *_, **__: None)
    exclude(membership)
    restore(membership)
    exclusions_apply()

    assert (counted(membership), slots_are_exact()) == (4, True)


def test_their_block_goes_back_to_everybody(project, membership):
    block_give(membership=membership, batch=project.batches.get(), n=2, by=project.created_by)
    assignment_prefetch(project=project, annotator=membership.user)

    exclude(membership)

    assert not Task.objects.exclude(reserved_for=None).exists()


def test_a_live_turn_that_nobody_else_can_judge_is_wanted_no_more(project, membership):
    task = TaskFactory(project=project, purpose="live", open_slots=0, overlap=1)
    JudgmentFactory(assignment__task=task, assignment__annotator=membership.user)
    wanted = task.batch.n_wanted

    exclude(membership)
    task.refresh_from_db()
    task.batch.refresh_from_db()
    assert (task.overlap, task.open_slots) == (0, 0)
    before = task.batch.n_wanted

    restore(membership)
    task.refresh_from_db()
    task.batch.refresh_from_db()
    assert (task.overlap, task.batch.n_wanted, counted(membership)) == (1, before + 1, 1)
    assert wanted is not None


def test_nobody_else_is_touched(project, membership):
    other = MembershipFactory(project=project)
    work(other, 2)
    work(membership, 1)

    exclude(membership)

    assert counted(other) == 2
    assert Membership.objects.get(pk=other.pk).standing == Standing.WORKING
