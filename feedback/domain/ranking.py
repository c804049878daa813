"""Rankings with ties: their check, their normal form, and the pairs they imply."""

import dataclasses
import string
from collections.abc import Sequence

from feedback.domain.errors import RankError

LETTERS = string.ascii_uppercase
"""Answers are shown under letters; a task has at most 9."""


@dataclasses.dataclass(frozen=True)
class Pairs:
    """What a ranking says about every two answers, as item numbers in ascending order."""

    won: tuple[tuple[int, int], ...]
    """(better, worse)"""
    tied: tuple[tuple[int, int], ...]


def validate_ranks(ranks: Sequence[int], n_items: int) -> list[int]:
    """Return the ranks in normal form: each is 1 + the number of better answers, so [1, 1, 2] becomes [1, 1, 3].

    Takes dense (1, 1, 2) and competition ranks (1, 1, 3). Raises: RankError.
    """
    if len(ranks) != n_items:
        raise RankError(f"Rank all {n_items} answers; {len(ranks)} ranks were given.")
    if any(isinstance(rank, bool) or not isinstance(rank, int) for rank in ranks):
        raise RankError("Every rank must be a whole number; 1 is the best.")
    normal = [1 + sum(other < rank for other in ranks) for rank in ranks]
    dense = [1 + len({other for other in ranks if other < rank}) for rank in ranks]
    if list(ranks) not in (normal, dense):
        raise RankError("Ranks start at 1, and only equal answers share one: 1, 2, 2, 3 or 1, 2, 2, 4, not 2, 3, 3, 5.")
    return normal


def pairs_from_ranks(ranks: Sequence[int]) -> Pairs:
    """Return every two answers as a won or a tied pair; n answers make n (n - 1) / 2."""
    won, tied = [], []
    for first in range(len(ranks)):
        for second in range(first + 1, len(ranks)):
            if ranks[first] == ranks[second]:
                tied.append((first, second))
            else:
                won.append((first, second) if ranks[first] < ranks[second] else (second, first))
    return Pairs(tuple(won), tuple(tied))


def ranks_by_item(shown_ranks: Sequence[int], order: Sequence[int]) -> list[int]:
    """Return ranks by item number from ranks by shown position, where `order[0]` is the item under letter A."""
    by_item = dict(zip(order, shown_ranks, strict=True))
    return [by_item[item] for item in range(len(order))]


def ranks_by_letter(ranks: dict[str, int], n_items: int) -> list[int]:
    """Return ranks by shown position from {"A": 1, "B": 2}. Raises: RankError."""
    expected = list(LETTERS[:n_items])
    if sorted(ranks) != expected:
        raise RankError(f"Give a rank to each of the letters {', '.join(expected)} and to no other.")
    return [ranks[letter] for letter in expected]
