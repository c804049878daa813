"""What should not decide and sometimes does: the position of an answer and its length."""

import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import Estimate
from feedback.quality.intervals import shares
from feedback.quality.pairs import Pairs
from feedback.quality.sums import sum_by


def first_position(pairs: Pairs) -> NDArray[np.int8]:
    """Return (P,) 1 where the first item of the pair was shown before the second, -1 after it, 0 if not known."""
    return pairs.shown


def longer_item(pairs: Pairs, lengths_TK: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return (P,) 1 where the first item of the pair is the longer one, -1 the shorter, 0 if equal or not known."""
    difference = lengths_TK[pairs.task, pairs.first] - lengths_TK[pairs.task, pairs.second]
    signs: NDArray[np.int8] = np.sign(np.nan_to_num(difference)).astype(np.int8)[pairs.pair]
    return signs


def preference(
    pairs: Pairs, side_P: NDArray[np.int8], group_J: NDArray[np.int64], n_groups: int, *, what: str
) -> list[Estimate]:
    """Return by group of judgments the share of wins of the item on a side (`side_P`), over pairs with a winner.

    One half where the side does not matter; pairs of one judgment are a cluster.
    """
    used = (pairs.label != 0) & (side_P != 0)
    n = len(group_J)
    wins = sum_by(pairs.judgment[used], pairs.label[used] == side_P[used], n)
    totals = np.bincount(pairs.judgment[used], minlength=n).astype(np.float64)
    return shares(wins, totals, group_J, n_groups, method=f"share of wins of {what}, Wilson, clustered by judgment")
