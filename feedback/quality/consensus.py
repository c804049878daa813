"""What the judgments of a task say together: an order with ties, and how likely its pairs are right.

Shapes: T tasks, K the most items of a task, Q pairs of items.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from feedback.quality.pairs import Pairs, item_pairs
from feedback.quality.reliability import HIGHEST, Reliability, posterior

EQUAL = 1e-9
"""Chances this close are equal: one against one by people of the same reliability."""

Floats = NDArray[np.float64]


def weights_of(model: Reliability) -> Floats:
    """Return (A,) how much each person's word weighs: log p / (1 - p) over that of the median trusted person.

    0 for who is not trusted and for who does no better than guessing. Source: Nitzan and Paroush 1982, theorem 1.
    """
    right = np.clip(model.right, 0.5, HIGHEST)
    odds = np.log(right / (1 - right)) * model.trusted
    typical = float(np.median(odds[model.trusted])) if model.trusted.any() else 0.0
    return odds / typical if typical > 0 else odds


def consensus_of(
    pairs: Pairs, model: Reliability, n_items_T: NDArray[np.int64], n_judged_T: NDArray[np.int64]
) -> Iterator[tuple[int, tuple[int, ...], float]]:
    """Yield (row of the task, ranks by item, confidence) of each task that a trusted person judged (`n_judged_T` > 0).

    Items are ordered by their mean chance of winning a pair (ties half); neighbours tie where a tie is the likeliest or
    neither win is likelier. Confidence is the mean posterior of the relations that the order states: the share of its
    pairs that one can expect to be right. An item that nobody ranked comes last.
    """
    n_tasks, n_items = len(n_items_T), int(n_items_T.max(initial=0))
    places = item_pairs(n_items)
    place_of = np.zeros((n_items, n_items), np.int64)
    for place, (first, second) in enumerate(places):
        place_of[first, second] = place_of[second, first] = place
    chances_TC3 = np.full((n_tasks, len(places), 3), np.nan)
    chances_TC3[pairs.task, place_of[pairs.first, pairs.second]] = posterior(model.pair_odds(pairs))
    score_TK = _scores(chances_TC3, places, n_items)
    order_TK = np.argsort(-np.nan_to_num(score_TK, nan=-1.0), axis=1, kind="stable")
    ranks_TK = _ranks(chances_TC3, order_TK, score_TK, place_of)
    confidence_T = _confidence(chances_TC3, ranks_TK, places)
    for task in np.flatnonzero((n_judged_T > 0) & np.isfinite(confidence_T)).tolist():
        ranks = ranks_TK[task, : n_items_T[task]]
        yield task, tuple(ranks.tolist()), float(confidence_T[task])


def _scores(chances_TC3: Floats, places: list[tuple[int, int]], n_items: int) -> Floats:
    """Return (T, K) mean chance of each item to win a judged pair, ties half; NaN for an item in no pair."""
    total = np.zeros((len(chances_TC3), n_items))
    count = np.zeros_like(total)
    for place, (first, second) in enumerate(places):
        judged = np.isfinite(chances_TC3[:, place, 0])
        wins = np.where(judged, chances_TC3[:, place, 0] + chances_TC3[:, place, 2] / 2, 0)
        total[:, first] += wins
        total[:, second] += judged - wins
        count[:, first] += judged
        count[:, second] += judged
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _ranks(
    chances_TC3: Floats, order_TK: NDArray[np.int64], score_TK: Floats, place_of: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return (T, K) competition ranks: 1 + the number of better items."""
    rows = np.arange(len(order_TK))
    ranks = np.ones_like(order_TK)
    for position in range(1, order_TK.shape[1]):
        above, below = order_TK[:, position - 1], order_TK[:, position]
        chances = chances_TC3[rows, place_of[above, below]]
        wins = np.where(above < below, chances[:, 0], chances[:, 1])
        losses = np.where(above < below, chances[:, 1], chances[:, 0])
        with np.errstate(invalid="ignore"):
            tied = (chances[:, 2] >= np.maximum(wins, losses)) | (np.abs(wins - losses) < EQUAL)
        tied |= np.isnan(score_TK[rows, above])  # both were never judged
        ranks[rows, below] = np.where(tied, ranks[rows, above], position + 1)
    return ranks


def _confidence(chances_TC3: Floats, ranks_TK: NDArray[np.int64], places: list[tuple[int, int]]) -> Floats:
    total, count = np.zeros(len(ranks_TK)), np.zeros(len(ranks_TK))
    for place, (first, second) in enumerate(places):
        stated = np.sign(ranks_TK[:, second] - ranks_TK[:, first])
        chances = chances_TC3[:, place]
        stands = np.where(stated > 0, chances[:, 0], np.where(stated < 0, chances[:, 1], chances[:, 2]))
        judged = np.isfinite(stands)
        total += np.where(judged, stands, 0)
        count += judged
    confidence: Floats = np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
    return confidence
