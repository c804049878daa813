"""People against known answers, and against what they said themselves before."""

import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import Estimate
from feedback.quality.couples import MISSING, signs_of
from feedback.quality.intervals import shares
from feedback.quality.pairs import item_pairs

Floats = NDArray[np.float64]


def gold_right(ranks_JK: Floats, gold_JK: Floats, tolerance_J: Floats) -> Floats:
    """Return (J,) 1 where a ranking is right, 0 where it is wrong, NaN where nothing is known.

    Right when the share of wrong pairs among those with a known winner is at most the tolerance. A known tie may be
    judged either way, a tie between a known winner and loser is wrong, and so is an item that could not be judged; two
    items left unranked were not asked for. The rule of `feedback.domain.gold`, over arrays.
    """
    known, given = signs_of(gold_JK), signs_of(ranks_JK)
    unranked = np.isinf(ranks_JK)
    skipped = [unranked[:, first] & unranked[:, second] for first, second in item_pairs(ranks_JK.shape[1])]
    asked = ((known == 1) | (known == -1)) & ~np.stack(skipped, axis=-1)
    wrong = (asked & (given != known)).sum(axis=1)
    n_asked = asked.sum(axis=1)
    is_ordered = np.isfinite(ranks_JK).any(axis=1)
    right = is_ordered & (wrong / np.maximum(n_asked, 1) <= tolerance_J)
    return np.where(n_asked > 0, right.astype(np.float64), np.nan)


def gold_accuracy(right_N: Floats, group_N: NDArray[np.int64], n_groups: int) -> list[Estimate]:
    """Return by group the share of known answers that were judged right."""
    known = np.isfinite(right_N)
    right = right_N[known]
    return shares(right, np.ones_like(right), group_N[known], n_groups, method="share of known answers, Wilson")


def repeats_of(
    task_J: NDArray[np.int64], annotator_J: NDArray[np.int64], is_repeat_J: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of repeats and of what the same person said of the same task the first time."""
    key_J = task_J * (annotator_J.max(initial=0) + 1) + annotator_J
    (repeats,) = np.nonzero(is_repeat_J)
    (originals,) = np.nonzero(~is_repeat_J)
    originals = originals[np.argsort(key_J[originals], kind="stable")]
    at = np.searchsorted(key_J[originals], key_J[repeats])
    found = at < len(originals)
    found[found] = key_J[originals[at[found]]] == key_J[repeats[found]]
    return repeats[found], originals[at[found]]


def self_consistency(
    ranks_JK: Floats, repeats: NDArray[np.int64], originals: NDArray[np.int64], group_N: NDArray[np.int64], n: int
) -> list[Estimate]:
    """Return by group of repeats the share of pairs judged as the first time; a repeat's pairs are a cluster."""
    again, before = signs_of(ranks_JK[repeats]), signs_of(ranks_JK[originals])
    both = (again != MISSING) & (before != MISSING)
    alike = (both & (again == before)).sum(axis=1).astype(np.float64)
    method = "share of pairs of repeated tasks, Wilson, clustered by task"
    return shares(alike, both.sum(axis=1).astype(np.float64), group_N, n, method=method)
