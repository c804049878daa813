"""An adjudicator decides once; who had the task decides nothing; the slots stay exact."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from feedback.domain.errors import Conflict, NotAllowed, RankError
from feedback.domain.states import AdjudicationState, Role
from feedback.domain.verdict import Verdict
from feedback.models import Adjudication, Assignment, Judgment
from feedback.selectors.adjudication import (
    adjudication_get,
    adjudication_list,
    adjudication_opinions,
    adjudication_order,
    adjudication_view,
)
from feedback.services.adjudication import adjudication_decide
from feedback.services.assignment import assignment_claim, assignment_show
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory
from tests.feedback.judging import judge


@pytest.fixture
def project():
    return ProjectFactory(overlap=2, max_overlap=2)


@pytest.fixture
def task(project):
    return TaskFactory(project=project, n_answers=2)


@pytest.fixture
def adjudication(project, task):
    disagree(project)
    return adjudication_get(project=project, adjudication_id=Adjudication.objects.get().pk)


@pytest.fixture
def judge_dee(project):
    return MembershipFactory(project=project, role=Role.ADJUDICATOR).user


def disagree(project, *remarks):
    """Let two new people judge the next task in opposite ways; return them."""
    people = [MembershipFactory(project=project).user for _ in range(2)]
    held = [assignment_show(assignment=assignment_claim(project=project, annotator=person)) for person in people]
    for assignment, ranks in zip(held, ((1, 2), (2, 1)), strict=True):
        judge(assignment, ranks)
    return people


def decide(adjudication, by, *ranks, key="k", **said):
    return adjudication_decide(
        adjudication=adjudication, by=by, verdict=Verdict(ranks=ranks or (1, 2)), client_key=key, **said
    )


@pytest.mark.django_db
def test_a_decision_counts_and_stands_beside_the_others(adjudication, task, judge_dee):
    judgment = decide(adjudication, judge_dee, rationale="The second is wrong.")

    adjudication.refresh_from_db()
    task.refresh_from_db()
    task.batch.refresh_from_db()
    order = adjudication_order(adjudication=adjudication, user=judge_dee)
    assert (adjudication.state, adjudication.judgment) == (AdjudicationState.DECIDED, judgment)
    assert (judgment.annotator, judgment.counted, [judgment.ranks[item] for item in order]) == (judge_dee, True, [1, 2])
    assert (task.overlap, task.open_slots, task.batch.n_wanted) == (3, 0, 3)
    assert Judgment.objects.filter(task=task, counted=True).count() == 3


@pytest.mark.django_db
def test_a_second_decision_is_told_who_was_first(adjudication, project, judge_dee):
    decide(adjudication, judge_dee)

    with pytest.raises(Conflict, match=f"{judge_dee.username} has decided this"):
        decide(adjudication, MembershipFactory(project=project, role=Role.ADJUDICATOR).user)
    assert Judgment.objects.count() == 3


@pytest.mark.django_db
def test_the_same_decision_again_is_the_same_judgment(adjudication, judge_dee):
    assert decide(adjudication, judge_dee) == decide(adjudication, judge_dee)


@pytest.mark.django_db
def test_who_has_had_the_task_does_not_decide_and_does_not_see_it_waiting(adjudication, project):
    judged = Judgment.objects.first().annotator
    MembershipFactory(project=project, user=judged, role=Role.ADJUDICATOR)

    with pytest.raises(NotAllowed):
        decide(adjudication, judged)
    assert not adjudication_list(project=project, user=judged).exists()
    assert Adjudication.objects.get().state == AdjudicationState.WAITING


@pytest.mark.django_db
def test_what_is_no_ranking_changes_nothing(adjudication, task, judge_dee):
    with pytest.raises(RankError):
        decide(adjudication, judge_dee, 1)

    task.refresh_from_db()
    assert (Adjudication.objects.get().state, task.overlap) == (AdjudicationState.WAITING, 2)
    assert not Assignment.objects.filter(annotator=judge_dee).exists()


@pytest.mark.django_db
def test_opinions_have_numbers_and_the_adjudicators_letters_and_no_names(adjudication, judge_dee):
    opinions = adjudication_opinions(adjudication=adjudication, user=judge_dee)
    order = adjudication_order(adjudication=adjudication, user=judge_dee)
    view = adjudication_view(adjudication=adjudication, user=judge_dee)

    assert [opinion.number for opinion in opinions] == [1, 2]
    assert [[answer.rank for answer in opinion.answers] for opinion in opinions] == [
        [(1, 2)[item] for item in order],
        [(2, 1)[item] for item in order],
    ]
    assert [answer.letter for answer in view.answers] == ["A", "B"]
    names = set(Judgment.objects.values_list("annotator__username", flat=True))
    assert not any(name in repr(opinions) for name in names)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_decide_at_once_one_wins(project, adjudication, task):
    people = [MembershipFactory(project=project, role=Role.ADJUDICATOR).user for _ in range(5)]
    start = threading.Barrier(len(people))

    def run(person):
        try:
            start.wait()
            own = adjudication_get(project=project, adjudication_id=adjudication.pk)
            return decide(own, person)
        except Conflict as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        done = list(pool.map(run, people))

    winners = [one for one in done if isinstance(one, Judgment)]
    assert len(winners) == 1
    assert all(winners[0].annotator.username in str(one) for one in done if one not in winners)
    task.refresh_from_db()
    assert (task.overlap, task.open_slots, Judgment.objects.count()) == (3, 0, 3)


@pytest.mark.django_db(transaction=True)
def test_the_last_two_of_a_task_who_submit_at_once_ask_for_exactly_one_more(project):
    project.max_overlap = 3
    project.save()
    for _ in range(6):
        task = TaskFactory(project=project, n_answers=2)
        people = [MembershipFactory(project=project).user for _ in range(2)]
        held = [assignment_show(assignment=assignment_claim(project=project, annotator=one)) for one in people]
        start = threading.Barrier(2)

        def run(assignment, ranks, start=start):
            try:
                start.wait()
                judge(assignment, ranks)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(run, held, ((1, 2), (2, 1))))
        task.refresh_from_db()
        assert (task.overlap, task.open_slots) == (3, 1)
        task.open_slots = 0  # nobody is to get it now
        task.save()
    task.batch.refresh_from_db()
    assert task.batch.n_wanted == 6 * 3
