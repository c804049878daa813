"""More judgments where people disagree: exactly as many as the table says, then an adjudicator, once."""

import pytest

from feedback.domain.states import AdjudicationState, BatchState, UserKind
from feedback.models import Adjudication, Task, Transition
from feedback.services.assignment import assignment_claim, assignment_show
from feedback.services.batch import batch_close
from feedback.services.exclusion import annotator_exclude
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory
from tests.feedback.judging import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(overlap=2, max_overlap=3, min_agreement=0.6)


@pytest.fixture
def task(project):
    return TaskFactory(project=project, n_answers=3)


def said(project, *ranks):
    """Let a new person claim the next task and rank its items so."""
    person = MembershipFactory(project=project).user
    return judge(assignment_show(assignment=assignment_claim(project=project, annotator=person)), ranks)


def wanted(task):
    task.refresh_from_db()
    task.batch.refresh_from_db()
    return task.overlap, task.open_slots, task.batch.n_wanted


def test_agreement_asks_nobody_else(project, task):
    said(project, 1, 2, 3)
    said(project, 2, 1, 3)  # two thirds of the pairs are alike

    assert wanted(task) == (2, 0, 2)
    assert not Adjudication.objects.exists()


def test_disagreement_asks_one_more_person_and_then_an_adjudicator(project, task):
    said(project, 1, 2, 3)
    said(project, 3, 2, 1)

    assert wanted(task) == (3, 1, 3)
    assert Transition.objects.get(object_type="feedback.task").to_state == "overlap 2 to 3"

    said(project, 2, 3, 1)  # 0, 1 and 2 of 3 pairs alike with the others, together 3 of 9

    assert wanted(task) == (3, 0, 3)
    waiting = Adjudication.objects.get()
    assert (waiting.task, waiting.state) == (task, AdjudicationState.WAITING)
    assert waiting.agreement == pytest.approx(1 / 3)


def test_a_third_judgment_that_brings_agreement_ends_it(project, task):
    said(project, 1, 2, 3)
    said(project, 2, 3, 1)  # one of three
    project.min_agreement = 0.5
    project.save()
    said(project, 1, 2, 3)  # 1 and 3 of 3 with the others: 5 of 9

    assert wanted(task) == (3, 0, 3)
    assert not Adjudication.objects.exists()


def test_nobody_is_asked_where_the_project_does_not_want_it(project, task):
    project.max_overlap = None
    project.save()

    said(project, 1, 2, 3)
    said(project, 3, 2, 1)

    assert wanted(task) == (2, 0, 2)


def test_a_closed_batch_asks_for_nothing_more(project, task):
    people = [MembershipFactory(project=project).user for _ in range(2)]
    held = [assignment_show(assignment=assignment_claim(project=project, annotator=one)) for one in people]
    batch_close(batch=task.batch)
    judge(held[0], (1, 2, 3))
    judge(held[1], (3, 2, 1))

    assert wanted(task) == (2, 0, 2)
    assert not Adjudication.objects.exists()
    assert task.batch.state == BatchState.CLOSED


def test_answers_without_ranks_are_no_disagreement(project, task):
    said(project, 1, 2, 3)
    judge(
        assignment_show(
            assignment=assignment_claim(project=project, annotator=MembershipFactory(project=project).user)
        ),
        (None, None, None),
        all_bad=True,
    )

    assert wanted(task) == (2, 0, 2)


def test_a_task_is_adjudicated_once_however_often_it_fills(project, task):
    judgments = [said(project, *ranks) for ranks in ((1, 2, 3), (3, 2, 1), (2, 3, 1))]
    first = Adjudication.objects.get()
    author = judgments[0].annotator.memberships.get()
    annotator_exclude(membership=author, by=project.created_by, reason="clicks")
    said(project, 1, 3, 2)

    assert wanted(task) == (3, 0, 3)
    assert Adjudication.objects.get() == first


def test_programs_are_asked_like_people(project, task):
    for ranks in ((1, 2, 3), (3, 2, 1)):
        person = MembershipFactory(project=project, user__kind=UserKind.SIMULATED).user
        judge(assignment_show(assignment=assignment_claim(project=project, annotator=person)), ranks)

    assert Task.objects.get().overlap == 3
