import numpy as np
import pytest

from feedback.quality.bias import longer_item, preference
from tests.feedback.quality.crowds import rows_of, votes_of


def test_the_share_of_the_first_position_counts_pairs_with_a_winner():
    # Shown in reverse, item 1 is first: it loses, wins, ties.
    votes = votes_of([(0, 1, (1, 2)), (1, 1, (2, 1)), (2, 1, (1, 1)), (3, 1, (2, 1))], shown_JK=[[1, 0]] * 4)
    pairs, _, group_J = rows_of(votes)
    (estimate,) = preference(pairs, pairs.shown, group_J, 1, what="the answer shown first")
    assert (estimate.value, estimate.n) == (pytest.approx(2 / 3), 3)


def test_what_was_shown_nowhere_has_no_position():
    pairs, _, group_J = rows_of(votes_of([(0, 1, (1, 2))], shown_JK=[[-1, -1]]))
    assert preference(pairs, pairs.shown, group_J, 1, what="x")[0].value is None


def test_the_share_of_the_longer_answer_leaves_out_equal_and_unknown_lengths():
    pairs, _, group_J = rows_of(votes_of([(task, 1, (1, 2)) for task in range(4)]))
    longer = longer_item(pairs, np.array([[9.0, 5], [5, 9], [7, 7], [np.nan, 7]]))
    (estimate,) = preference(pairs, longer, group_J, 1, what="the longer answer")
    assert (estimate.value, estimate.n) == (0.5, 2)


def test_each_person_has_their_own_share():
    pairs, _, group_J = rows_of(votes_of([(0, 1, (1, 2, 3)), (0, 2, (3, 2, 1))]))
    first, second = preference(pairs, pairs.shown, group_J, 2, what="the answer shown first")
    assert (first.value, second.value) == (1, 0)
