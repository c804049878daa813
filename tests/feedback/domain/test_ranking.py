import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.domain.errors import RankError
from feedback.domain.ranking import letter_position, pairs_from_ranks, ranks_by_letter, validate_ranks


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([3, 1, 2], [3, 1, 2]),
        ([1, 1, 2], [1, 1, 3]),
        ([1, 1, 3], [1, 1, 3]),
        ([2, 1, 2, 3], [2, 1, 2, 4]),
        ([1, 1, 1], [1, 1, 1]),
        ([1, 2, 2, 3, 3], [1, 2, 2, 4, 4]),
    ],
)
def test_dense_and_competition_ranks_have_one_normal_form(given, normal):
    assert validate_ranks(given, len(given)) == normal


@pytest.mark.parametrize(
    ("ranks", "n_items", "says"),
    [
        ([1, 2], 3, "all 3 answers"),
        ([1, 2, 3, 4], 3, "all 3 answers"),
        ([2, 3], 2, "start at 1"),
        ([0, 1], 2, "start at 1"),
        ([1, 3], 2, "start at 1"),
        ([1, 1, 4], 3, "start at 1"),
        ([-1, 1], 2, "start at 1"),
        ([1, 2.0], 2, "whole number"),
        ([1, True], 2, "whole number"),
        ([1, "2"], 2, "whole number"),
    ],
)
def test_what_is_no_ranking_is_refused_with_the_reason(ranks, n_items, says):
    with pytest.raises(RankError, match=says):
        validate_ranks(ranks, n_items)


def test_a_ranking_of_four_with_a_tie_is_five_pairs_and_a_tie():
    pairs = pairs_from_ranks([3, 1, 1, 4])

    assert pairs.won == ((1, 0), (2, 0), (0, 3), (1, 3), (2, 3))
    assert pairs.tied == ((1, 2),)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=9))
def test_any_scores_make_ranks_that_stay_as_they_are(scores):
    dense = [sorted(set(scores)).index(score) + 1 for score in scores]

    normal = validate_ranks(dense, len(dense))
    pairs = pairs_from_ranks(normal)

    assert validate_ranks(normal, len(normal)) == normal
    assert len(pairs.won) + len(pairs.tied) == len(scores) * (len(scores) - 1) // 2
    assert all(scores[better] < scores[worse] for better, worse in pairs.won)
    assert all(scores[first] == scores[second] for first, second in pairs.tied)


def test_what_has_no_rank_keeps_none():
    assert validate_ranks([None, 1, 1, 2], 4) == [None, 1, 1, 3]
    assert validate_ranks([None, None], 2) == [None, None]
    with pytest.raises(RankError, match="start at 1"):
        validate_ranks([None, 2, 3], 3)


def test_unranked_answers_lose_to_all_ranked_ones_and_are_undecided_among_themselves():
    pairs = pairs_from_ranks([None, 2, 1, None])

    assert pairs.won == ((1, 0), (2, 0), (2, 1), (1, 3), (2, 3))
    assert pairs.tied == ()


def test_an_answer_that_could_not_be_judged_makes_no_pair():
    pairs = pairs_from_ranks([1, None, 1, None], cannot_judge=[1])

    assert pairs.won == ((0, 3), (2, 3))
    assert pairs.tied == ((0, 2),)


def test_ranks_by_letter_are_by_shown_position():
    assert ranks_by_letter({"C": 2, "A": 3, "B": None}, 3) == [3, None, 2]
    assert [letter_position(letter, 3) for letter in "ABC"] == [0, 1, 2]
    for letter in ("D", "a", "", "AB"):
        with pytest.raises(RankError, match="A, B, C"):
            letter_position(letter, 3)


@pytest.mark.parametrize("ranks", [{"A": 1}, {"A": 1, "B": 2, "C": 3}, {"a": 1, "b": 2}, {}])
def test_other_letters_than_the_shown_ones_are_refused(ranks):
    with pytest.raises(RankError, match="A, B and to no other"):
        ranks_by_letter(ranks, 2)
