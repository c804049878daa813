import math
from itertools import permutations

import pytest

from config.round.taste import Taste, agreement


def length(prompt, answer):
    return float(len(answer))


def test_scores_are_standardised_over_the_sampled_answers():
    taste = Taste.over(length, [("q", "a"), ("q", "bbb"), ("q", "ccccc")], seed=0)

    assert taste.mean == 3
    assert taste.deviation == pytest.approx(math.sqrt(8 / 3))


def test_equal_scores_do_not_divide_by_zero():
    assert Taste.over(length, [("q", "a"), ("q", "b")], seed=0).rank("q", ["a", "b"]) in ([1, 2], [2, 1])


def test_without_noise_to_speak_of_the_better_answer_wins():
    taste = Taste(length, mean=0, deviation=1, seed=0, temperature=1e-9)
    assert taste.rank("q", ["aa", "a", "aaaa", "aaa"]) == [3, 4, 1, 2]


def test_the_same_answers_get_the_same_order_however_they_are_shuffled():
    taste = Taste(length, mean=2, deviation=1, seed=3)
    answers = ["a", "bb", "ccc", "dddd"]
    expected = dict(zip(answers, taste.rank("q", answers), strict=True))

    for shuffled in permutations(answers):
        assert dict(zip(shuffled, taste.rank("q", shuffled), strict=True)) == expected


def test_two_answers_are_ordered_as_often_as_plackett_and_luce_say():
    # Utilities 1 and 0 at temperature 0.5: the better one is first with probability 1 / (1 + exp(-2)) = 0.8808.
    taste = Taste(lambda _, answer: float(answer == "better"), mean=0, deviation=1, seed=1, temperature=0.5)
    n = 4_000

    wins = sum(taste.rank(f"question {i}", ["worse", "better"]) == [2, 1] for i in range(n))

    assert wins / n == pytest.approx(0.8808, abs=4 * math.sqrt(0.8808 * 0.1192 / n))


def test_agreement_leaves_out_pairs_that_gold_does_not_order():
    # Pairs: (3, 1) agreed, (3, 1) agreed, (1, 1) not ordered by gold.
    assert agreement([3, 1, 1], [1, 2, 3]) == (2, 2)
    # (1, 2) reversed, (1, 3) reversed, (2, 3) agreed.
    assert agreement([1, 2, 3], [1, 3, 2]) == (1, 3)


def test_a_tie_between_answers_that_gold_orders_is_no_agreement():
    assert agreement([1, 2], [1, 1]) == (0, 1)
