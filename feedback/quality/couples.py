"""Two judgments of the same task next to each other: do they say the same, and how do their orders correlate?"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from feedback.quality.pairs import item_pairs, rank_difference

REACH = 19
"""Judgments of the same task that each is compared with on either side: a gold task has thousands."""
CHUNK = 200_000
"""Couples compared at a time, which takes some 50 MB with nine answers a task."""
MISSING = 2
"""Sign of a pair of items of which one has no rank."""


@dataclasses.dataclass(frozen=True)
class Couples:
    """N couples of judgments of one task, as rows of the votes."""

    earlier: NDArray[np.int32]
    later: NDArray[np.int32]
    same: NDArray[np.bool_]
    """(N,) Whether all pairs that both ranked are ranked alike, and there is one."""
    tau: NDArray[np.float64]
    """(N,) Kendall's tau-b over the items that both ranked; NaN where one of the two ties them all."""

    def of(self, rows: NDArray[np.bool_]) -> "Couples":
        """Return the couples where `rows` (N,) is true."""
        return Couples(self.earlier[rows], self.later[rows], self.same[rows], self.tau[rows])


def couples_of(task_J: NDArray[np.int64], ranks_JK: NDArray[np.float64], used_J: NDArray[np.bool_]) -> Couples:
    """Return each used judgment with up to `REACH` that came after it on the same task."""
    (used,) = np.nonzero(used_J)
    order = used[np.argsort(task_J[used], kind="stable")]
    none = np.zeros(0, np.int32)
    earlier, later = [none], [none]
    for lag in range(1, REACH + 1):
        (at,) = np.nonzero(task_J[order[lag:]] == task_J[order[:-lag]])
        if not len(at):
            break
        earlier.append(order[at].astype(np.int32))
        later.append(order[at + lag].astype(np.int32))
    first, second = np.concatenate(earlier), np.concatenate(later)
    signs = signs_of(ranks_JK)
    parts = [_compare(signs[first[i : i + CHUNK]], signs[second[i : i + CHUNK]]) for i in range(0, len(first), CHUNK)]
    return Couples(
        earlier=first,
        later=second,
        same=np.concatenate([np.zeros(0, np.bool_), *(same for same, _ in parts)]),
        tau=np.concatenate([np.zeros(0), *(tau for _, tau in parts)]),
    )


def signs_of(ranks_JK: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return (J, C) for each pair of items 1 where the first wins, -1, 0 for a tie, `MISSING` if not judged."""
    signs = [
        np.nan_to_num(np.sign(rank_difference(ranks_JK, first, second)), nan=MISSING).astype(np.int8)
        for first, second in item_pairs(ranks_JK.shape[1])
    ]
    return np.stack(signs, axis=-1) if signs else np.zeros((len(ranks_JK), 0), np.int8)


def _compare(left_NC: NDArray[np.int8], right_NC: NDArray[np.int8]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    both = (left_NC != MISSING) & (right_NC != MISSING)
    same = both.any(axis=1) & (~both | (left_NC == right_NC)).all(axis=1)
    left, right = left_NC * both, right_NC * both
    product = (left * right).sum(axis=1, dtype=np.float64)
    untied = (left != 0).sum(axis=1, dtype=np.float64) * (right != 0).sum(axis=1, dtype=np.float64)
    return same, np.divide(product, np.sqrt(untied), out=np.full(len(left), np.nan), where=untied > 0)
