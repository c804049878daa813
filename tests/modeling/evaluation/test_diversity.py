import pytest

from modeling.evaluation.diversity import distinct_n, repeated_share, words_of


def test_words_signs_and_characters_without_spaces_count_one_each():
    assert words_of("Don't stop, FOX!") == ["don't", "stop", ",", "fox", "!"]
    assert words_of("猫吃鱼 ok") == ["猫", "吃", "鱼", "ok"]


def test_distinct_n_is_counted_over_all_texts():
    texts = ["the fox eats", "the fox sleeps"]
    assert distinct_n(texts, 1) == pytest.approx(4 / 6)  # the, fox, eats, sleeps of six words
    assert distinct_n(texts, 2) == pytest.approx(3 / 4)  # "the fox" twice
    assert distinct_n(texts, 3) == 1
    assert distinct_n(texts, 4) == 0


def test_repetition_is_counted_inside_each_text():
    loop = "a b c d a b c d"  # five 4-grams: abcd, bcda, cdab, dabc, abcd
    assert repeated_share([loop]) == pytest.approx(1 / 5)
    assert repeated_share(["a b c d", "a b c d"]) == 0
    assert repeated_share([loop, "one two three four five"]) == pytest.approx(1 / 7)
    assert repeated_share(["short"]) == repeated_share([]) == 0


def test_a_policy_that_says_the_same_to_everything_has_no_variety():
    assert distinct_n(["It is so."] * 100, 2) == pytest.approx(3 / 300)
