"""Weights and targets of all pairs of a data set, by the judgment behind each (`labels.py`).

A ranking of K answers says K (K - 1) / 2 pairs that are not independent: they share the weight of one judgment, 1 /
C(K, 2) each (Ouyang et al., 2022, https://arxiv.org/abs/2203.02155, equation 1). Then all weights are multiplied by one
number, so that their mean over the pairs that weigh anything is 1 and a learning rate keeps its meaning.
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from modeling.errors import BadInput
from modeling.spec import LabelSpec
from modeling.training.comparisons import Comparison, Pair
from modeling.training.labels import label_of


def comparisons_weigh(comparisons: Sequence[Comparison], spec: LabelSpec) -> tuple[list[Comparison], int]:
    """Return the comparisons with every pair's weight and target, and how many pairs were left out as weightless.

    Raises: BadInput when no pair weighs anything.
    """
    in_ranking = Counter(_ranking(pair) for comparison in comparisons for pair in comparison.pairs)
    weighed = [
        dataclasses.replace(comparison, pairs=[_weighed(pair, spec, in_ranking) for pair in comparison.pairs])
        for comparison in comparisons
    ]
    weights = [pair.weight for comparison in weighed for pair in comparison.pairs if pair.weight > 0]
    if not weights:
        raise BadInput("No judgment weighs anything: their annotators are all suspected. Train with labels 'hard'.")
    scale = len(weights) / sum(weights)
    scaled = [
        dataclasses.replace(
            comparison,
            pairs=[dataclasses.replace(pair, weight=pair.weight * scale) for pair in comparison.pairs if pair.weight],
        )
        for comparison in weighed
    ]
    n_left_out = sum(len(comparison.pairs) for comparison in weighed) - len(weights)
    return [comparison for comparison in scaled if comparison.pairs], n_left_out


def _weighed(pair: Pair, spec: LabelSpec, in_ranking: Counter[tuple[str, str]]) -> Pair:
    label = label_of(pair.judgment, spec)
    n_pairs = in_ranking[_ranking(pair)] if pair.judgment.ranking else 1
    return dataclasses.replace(pair, weight=label.weight / n_pairs, target=label.target)


def _ranking(pair: Pair) -> tuple[str, str]:
    return pair.judgment.ranking, pair.judgment.dimension
