"""How far the judgments of one task agree, from their ranks alone."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence

from feedback.domain.ranking import Rank, pairs_from_ranks

Said = tuple[Sequence[Rank], Collection[int]]
"""Ranks by item number, and the items that could not be judged, as a judgment has them."""


def agreement_share(judgments: Iterable[Said]) -> float | None:
    """Return the share of pairs of items judged alike, from 0 to 1, over all pairs of judgments.

    Alike is the same winner, or a tie in both. A pair of items on which either says nothing is left out, and None is
    returned where nothing is left: one judgment alone, or nobody gave ranks.
    """
    n_alike = n_pairs = 0
    for first, second in itertools.combinations([_outcomes(*said) for said in judgments], 2):
        both = first.keys() & second.keys()
        n_pairs += len(both)
        n_alike += sum(first[pair] == second[pair] for pair in both)
    return n_alike / n_pairs if n_pairs else None


def _outcomes(ranks: Sequence[Rank], cannot_judge: Collection[int]) -> Mapping[tuple[int, int], int | None]:
    """Return the winner of each pair of items in ascending order, None for a tie."""
    pairs = pairs_from_ranks(ranks, cannot_judge)
    outcomes: dict[tuple[int, int], int | None] = dict.fromkeys(pairs.tied)
    for better, worse in pairs.won:
        outcomes[min(better, worse), max(better, worse)] = better
    return outcomes
