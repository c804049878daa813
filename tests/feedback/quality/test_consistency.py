import itertools

import numpy as np
import pytest

from feedback.domain.gold import ranking_mark
from feedback.quality.consistency import gold_accuracy, gold_right, repeats_of, self_consistency

NAN, INF = np.nan, np.inf


def right(known, given, tolerance=0.0):
    return gold_right(np.array([given], float), np.array([known], float), np.array([tolerance]))[0]


@pytest.mark.parametrize(
    ("known", "given", "tolerance", "is_right"),
    [
        ((1, 2, 3), (1, 2, 3), 0.0, 1),
        ((1, 2, 3), (1, 3, 2), 0.0, 0),
        ((1, 2, 3), (1, 3, 2), 0.34, 1),  # one of three
        ((1, 1, 3), (2, 1, 3), 0.0, 1),  # a known tie may be judged either way
        ((1, 2, 3), (1, 1, 3), 0.0, 0),  # a tie is not the known winner
        ((1, 2, 3), (1, 2, NAN), 0.0, 0),  # could not be judged
        ((1, 2, 3), (1, INF, INF), 0.0, 1),  # only the best was asked for
        ((1, 2, 3), (INF, 1, INF), 0.0, 0),
    ],
)
def test_a_gold_ranking_is_right_within_its_tolerance(known, given, tolerance, is_right):
    assert right(known, given, tolerance) == is_right


def test_nothing_known_is_neither_right_nor_wrong():
    assert np.isnan(right((NAN, NAN), (1, 2)))


def test_arrays_and_the_domain_agree_on_every_ranking_of_three():
    ranks = [(1, 2, 3), (1, 1, 3), (1, 2, 2), (2, 1, 3), (3, 2, 1), (2, 3, 1), (1, 1, 1), (1, None, None), (2, 1, None)]
    for known, given, tolerance in itertools.product(ranks[:6], ranks, (0.0, 0.34, 0.67)):
        mark = ranking_mark(known=known, given=given, tolerance=tolerance)
        filled = tuple(INF if rank is None else rank for rank in given)
        assert right(known, filled, tolerance) == mark.is_right, (known, given, tolerance)


def test_gold_accuracy_is_a_share_of_tasks():
    one, two = gold_accuracy(np.array([1.0, 0, 1, NAN]), np.array([0, 0, 0, 1]), 2)
    assert (one.value, one.n, two.value) == (pytest.approx(2 / 3), 3, None)


def test_a_repeat_is_compared_with_the_same_persons_first_time():
    task, person = np.array([7, 7, 8, 7, 9]), np.array([1, 2, 1, 1, 1])
    repeats, originals = repeats_of(task, person, np.array([False, False, False, True, True]))
    assert (repeats.tolist(), originals.tolist()) == ([3], [0])  # nobody judged task 9 before


def test_self_consistency_is_the_share_of_pairs_judged_as_before():
    ranks = np.array([(1, 2, 3), (1, 3, 2), (1, 2, NAN), (2, 1, NAN)], float)
    (estimate,) = self_consistency(ranks, np.array([1, 3]), np.array([0, 2]), np.zeros(2, np.int64), 1)
    assert (estimate.value, estimate.n) == (pytest.approx(2 / 4), 4)
