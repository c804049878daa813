"""Counted by hand: of four answers in one order, six pairs have a winner."""

import pytest

from feedback.domain.errors import Invalid, RankError
from feedback.domain.gold import Mark, known_ranks_check, purpose_check, ranking_mark, tolerance_check


def test_the_known_order_is_right():
    assert ranking_mark(known=[2, 1, 3, 4], given=[2, 1, 3, 4]) == Mark(0, 6, is_right=True)


def test_one_swap_of_neighbours_is_one_wrong_pair_of_six():
    swapped = {"known": [1, 2, 3, 4], "given": [1, 3, 2, 4]}
    assert ranking_mark(**swapped) == Mark(1, 6, is_right=False)
    assert ranking_mark(**swapped, tolerance=1 / 6) == Mark(1, 6, is_right=True)
    assert not ranking_mark(**swapped, tolerance=0.16).is_right


def test_a_known_tie_may_be_judged_either_way():
    for given in ([1, 2, 3], [2, 1, 3], [1, 1, 3]):
        assert ranking_mark(known=[1, 1, 3], given=given) == Mark(0, 2, is_right=True)


def test_a_tie_where_one_is_better_is_wrong():
    assert ranking_mark(known=[1, 2], given=[1, 1]) == Mark(1, 1, is_right=False)
    assert ranking_mark(known=[1, 2, 3], given=[1, 1, 3]) == Mark(1, 3, is_right=False)


def test_two_answers_are_right_or_wrong():
    assert ranking_mark(known=[2, 1], given=[2, 1]) == Mark(0, 1, is_right=True)
    assert ranking_mark(known=[2, 1], given=[1, 2]) == Mark(1, 1, is_right=False)


def test_of_answers_without_a_rank_only_those_against_ranked_ones_are_asked():
    # Only the best was asked for: 1 beats 0 and 2; who is better of 0 and 2 was not.
    assert ranking_mark(known=[2, 1, 3], given=[None, 1, None]) == Mark(0, 2, is_right=True)
    assert ranking_mark(known=[2, 1, 3], given=[1, None, None]) == Mark(1, 2, is_right=False)


def test_a_known_best_alone_leaves_the_others_open():
    assert ranking_mark(known=[1, None, None], given=[1, 3, 2]) == Mark(0, 2, is_right=True)


def test_what_could_not_be_judged_is_no_right_pair():
    assert ranking_mark(known=[1, 2, 3], given=[1, 2, None], cannot_judge=[2]) == Mark(2, 3, is_right=False)
    assert ranking_mark(known=[1, 2, 3], given=[1, None, None], cannot_judge=[1, 2]) == Mark(3, 3, is_right=False)


def test_saying_that_all_are_bad_is_no_way_to_be_right():
    assert ranking_mark(known=[1, 2], given=[None, None]) == Mark(0, 0, is_right=False)
    assert not ranking_mark(known=[1, 2], given=[None, None], tolerance=1.0).is_right


def test_a_share_is_not_missed_by_rounding():
    # Five answers make ten pairs; only 0 over 2 and 1 over 2 are kept.
    given = {"known": [1, 2, 3, 4, 5], "given": [4, 3, 5, 2, 1]}
    assert ranking_mark(**given, tolerance=0.8) == Mark(8, 10, is_right=True)
    assert not ranking_mark(**given, tolerance=0.79).is_right


def test_a_known_answer_has_a_winner():
    assert known_ranks_check([1, 1, 2], 3) == [1, 1, 3]
    with pytest.raises(RankError, match="at least one"):
        known_ranks_check([1, 1], 2)
    with pytest.raises(RankError):
        known_ranks_check([1, 2, 3], 2)


@pytest.mark.parametrize("tolerance", [-0.1, 1.1, True, "0.2", None, float("nan")])
def test_a_tolerance_is_a_share(tolerance):
    with pytest.raises(Invalid, match="from 0 to 1"):
        tolerance_check(tolerance)
    assert tolerance_check(0.25) == 0.25


def test_an_ordinary_task_has_no_known_answer():
    assert purpose_check("gold") == "gold"
    for purpose in ("label", "repeat", "", None, []):
        with pytest.raises(Invalid, match="gold, training, qualification"):
            purpose_check(purpose)
