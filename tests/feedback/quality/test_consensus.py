import numpy as np
import pytest

from feedback.quality.consensus import consensus_of
from feedback.quality.reliability import Reliability
from tests.feedback.quality.crowds import rows_of, votes_of


def consensus(rows, *, right, n_items=3, trusted=None):
    votes = votes_of(rows)
    pairs, task_J, annotator_J = rows_of(votes)
    trusted = np.ones(len(right), bool) if trusted is None else np.array(trusted)
    model = Reliability(np.array(right), trusted, tie=0.1, tie_of_win=0.1, tie_of_tie=0.6)
    n_tasks = int(task_J.max()) + 1
    n_judged = np.bincount(task_J[trusted[annotator_J]], minlength=n_tasks)
    return list(consensus_of(pairs, model, np.full(n_tasks, n_items), n_judged))


def test_two_good_people_outvote_a_bad_one():
    rows = [(0, 1, (1, 2, 3)), (0, 2, (1, 2, 3)), (0, 3, (3, 2, 1))]
    ((_, ranks, _),) = consensus(rows, right=[0.8, 0.8, 0.8])
    assert ranks == (1, 2, 3)


def test_an_excellent_person_outvotes_two_guessers():
    rows = [(0, 1, (1, 2, 3)), (0, 2, (3, 2, 1)), (0, 3, (3, 2, 1))]
    ((_, ranks, _),) = consensus(rows, right=[0.95, 0.55, 0.55])
    assert ranks == (1, 2, 3)


def test_equals_who_contradict_each_other_make_a_tie_and_not_the_lower_number():
    ((_, ranks, confidence),) = consensus([(0, 1, (1, 2)), (0, 2, (2, 1))], right=[0.8, 0.8], n_items=2)
    assert ranks == (1, 1)
    assert confidence < 0.5


def test_ties_share_the_best_rank_and_leave_a_gap():
    rows = [(0, person, (2, 1, 1)) for person in range(3)]
    ((_, ranks, _),) = consensus(rows, right=[0.8] * 3)
    assert ranks == (3, 1, 1)


def test_confidence_is_the_chance_of_the_stated_relation():
    ((_, _, confidence),) = consensus([(0, 1, (1, 2))], right=[0.9], n_items=2)
    joint = np.array([0.45 * 0.9 * 0.9, 0.45 * 0.9 * 0.1, 0.1 * 0.2])
    assert confidence == pytest.approx(joint[0] / joint.sum())


def test_a_circle_is_broken_by_the_surer_pairs():
    rows = [(0, 1, (1, 2, None)), (0, 2, (None, 1, 2)), (0, 3, (2, None, 1))]
    ((_, ranks, _),) = consensus(rows, right=[0.9, 0.9, 0.6])
    assert ranks == (1, 2, 3)


def test_an_answer_that_nobody_ranked_comes_last():
    ((_, ranks, _),) = consensus([(0, 1, (2, 1, None))], right=[0.9])
    assert ranks == (2, 1, 3)


def test_a_task_that_only_spammers_judged_has_no_consensus():
    rows = [(0, 1, (1, 2, 3)), (1, 2, (1, 2, 3))]
    found = consensus(rows, right=[0.9, 0.5], trusted=[True, False])
    assert [task for task, _, _ in found] == [0]
