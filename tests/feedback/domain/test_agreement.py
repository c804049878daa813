"""Shares worked out by hand: of each two judgments, the pairs of items judged alike over those that both judged."""

import pytest

from feedback.domain.agreement import agreement_share


def share(*ranks):
    return agreement_share([(one, ()) for one in ranks])


def test_the_same_order_agrees_wholly_and_the_opposite_one_not_at_all():
    assert share([1, 2, 3], [1, 2, 3]) == 1
    assert share([1, 2, 3], [3, 2, 1]) == 0


def test_one_swapped_pair_of_three_leaves_two_thirds():
    assert share([1, 2, 3], [2, 1, 3]) == pytest.approx(2 / 3)


def test_a_tie_is_alike_with_a_tie_only():
    # 0-1 is tied in both; 0-2 and 1-2 have a winner in the first and are tied in the second
    assert share([1, 1, 3], [1, 1, 1]) == pytest.approx(1 / 3)


def test_all_pairs_of_judgments_weigh_alike():
    # first and second 3 of 3, first and third 2 of 3, second and third 2 of 3
    assert share([1, 2, 3], [1, 2, 3], [1, 3, 2]) == pytest.approx(7 / 9)


def test_what_has_no_rank_is_worse_than_what_has_one():
    # 0-1 and 0-2 alike; 1-2 has a winner in the first, and the second says nothing about it
    assert share([1, 2, 3], [1, None, None]) == 1
    assert share([1, 2, 3], [None, 1, None]) == pytest.approx(1 / 2)  # 0-1 differs, 1-2 is alike


def test_an_answer_that_could_not_be_judged_is_left_out():
    assert agreement_share([([1, 2, 3], ()), ([None, 2, 1], (0,))]) == 0  # only 1-2 is left, and it differs


def test_nothing_in_common_is_no_agreement_and_no_disagreement():
    assert share() is None
    assert share([1, 2]) is None
    assert share([1, 2], [None, None]) is None
