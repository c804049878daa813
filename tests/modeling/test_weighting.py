import pytest

from modeling.data.preferences import Judgment
from modeling.errors import BadInput
from modeling.model.batching import Example
from modeling.spec import LabelSpec
from modeling.training.comparisons import Comparison, Pair
from modeling.training.weighting import comparisons_weigh

HARD, WEIGHT = LabelSpec(source="hard"), LabelSpec(source="weight")


def comparison(key, *judgments):
    examples = [Example((1,), (token, 5)) for token in (7, 8)]
    return Comparison(key, examples, [Pair(0, 1, judgment) for judgment in judgments])


def weights(comparisons):
    return [pair.weight for comparison in comparisons for pair in comparison.pairs]


def test_a_ranking_of_four_weighs_as_much_as_one_pair_and_the_mean_is_one():
    four = comparison("a", *[Judgment(ranking="t1 ann")] * 6)
    two = comparison("b", Judgment(ranking="t2 ann"))

    weighed, _ = comparisons_weigh([four, two], HARD)

    # 6 pairs of 1/6 and one of 1: 2 in all over 7 pairs, so times 3.5
    assert weights(weighed) == pytest.approx([3.5 / 6] * 6 + [3.5])


def test_pairs_of_no_known_ranking_stand_alone():
    weighed, _ = comparisons_weigh([comparison("a", Judgment(), Judgment(), Judgment())], HARD)
    assert weights(weighed) == [1, 1, 1]


def test_each_dimension_is_a_ranking_of_its_own():
    rows = [Judgment(ranking="t ann", dimension=name) for name in ("", "", "tone")]
    weighed, _ = comparisons_weigh([comparison("a", *rows)], HARD)
    assert weights(weighed) == pytest.approx([0.75, 0.75, 1.5])


def test_what_weighs_nothing_is_left_out_and_counted():
    rows = [comparison("a", Judgment(weight=0.5), Judgment(weight=0)), comparison("b", Judgment(weight=0))]
    weighed, n_left_out = comparisons_weigh(rows, WEIGHT)
    assert (weights(weighed), n_left_out) == ([1], 2)
    assert [one.key for one in weighed] == ["a"]


def test_a_data_set_of_weightless_judgments_is_refused():
    with pytest.raises(BadInput, match="No judgment weighs anything"):
        comparisons_weigh([comparison("a", Judgment(weight=0))], WEIGHT)
