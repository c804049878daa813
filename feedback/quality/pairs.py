"""Judgments as pairs: one row for every two items that one judgment ranked. Most statistics start from these rows.

Shapes: J judgments, K the most items of a task, T tasks, A annotators, P rows, Q pairs of items that anybody ranked.
"""

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray

from feedback.quality.votes import Votes


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Rows of (judgment, two items); of the two items, the first is the one with the lower number."""

    judgment: NDArray[np.int32]
    """(P,) Row of the `Votes`."""
    annotator: NDArray[np.int32]
    """(P,) Row of the annotators."""
    pair: NDArray[np.int32]
    """(P,) Row of the arrays over Q."""
    label: NDArray[np.int8]
    """(P,) 1 where the first item won, -1 where the second did, 0 for a tie."""
    shown: NDArray[np.int8]
    """(P,) 1 where the first item was shown before the second, -1 after it, 0 where that is not known."""
    counted: NDArray[np.bool_]
    """(P,) Whether it says something about the items, too, and not only about its person."""
    n_annotators: int
    task: NDArray[np.int32]
    """(Q,) Row of the tasks; ascending."""
    first: NDArray[np.int8]
    """(Q,) Item number."""
    second: NDArray[np.int8]
    """(Q,) Item number, higher than the first."""
    known: NDArray[np.float64]
    """(Q,) The known label, NaN where nothing is known."""

    def of(self, rows: NDArray[np.bool_]) -> "Pairs":
        """Return the rows where `rows` (P,) is true, with the same pairs of items."""
        return dataclasses.replace(
            self,
            **{
                name: getattr(self, name)[rows]
                for name in ("judgment", "annotator", "pair", "label", "shown", "counted")
            },
        )


def pairs_of(
    votes: Votes,
    task_J: NDArray[np.int64],
    annotator_J: NDArray[np.int64],
    gold_TK: NDArray[np.float64],
    n_annotators: int,
) -> Pairs:
    """Return all pairs that the judgments imply; an item that could not be judged (NaN) makes none.

    `task_J` and `annotator_J` hold each judgment's row of the tasks and of the annotators, `gold_TK` the known ranks.
    """
    combinations = item_pairs(votes.ranks_JK.shape[1])
    width = max(1, len(combinations))
    none = np.zeros(0, np.int64)
    rows, codes, labels, shown = [none], [none], [none], [none]
    for place, (first, second) in enumerate(combinations):
        difference = rank_difference(votes.ranks_JK, first, second)
        (ranked,) = np.nonzero(~np.isnan(difference))
        left, right = votes.shown_JK[ranked, first], votes.shown_JK[ranked, second]
        rows.append(ranked.astype(np.int32))
        codes.append(task_J[ranked] * width + place)
        labels.append(np.sign(difference[ranked]).astype(np.int8))
        shown.append(np.where((left < 0) | (right < 0), 0, np.sign(right - left)).astype(np.int8))
    code, judgment = np.concatenate(codes), np.concatenate(rows).astype(np.int32)
    used = np.zeros(len(gold_TK) * width, np.bool_)
    used[code] = True
    (kept,) = np.nonzero(used)
    items = np.array(combinations, np.int8).reshape(-1, 2)[kept % width]
    task = kept // width
    return Pairs(
        judgment=judgment,
        annotator=annotator_J.astype(np.int32)[judgment],
        pair=(np.cumsum(used, dtype=np.int32) - np.int32(1))[code],
        label=np.concatenate(labels).astype(np.int8),
        shown=np.concatenate(shown).astype(np.int8),
        counted=votes.counted[judgment],
        n_annotators=n_annotators,
        task=task.astype(np.int32),
        first=items[:, 0],
        second=items[:, 1],
        known=np.sign(_difference(gold_TK[task, items[:, 1]], gold_TK[task, items[:, 0]])),
    )


def rank_difference(ranks_NK: NDArray[np.float64], first: int, second: int) -> NDArray[np.float64]:
    """Return (N,) the second item's rank less the first's: positive where the first is better, NaN if undecided.

    An infinite rank is that of an item that was left unranked: worse than all ranked, undecided against the others.
    """
    return _difference(ranks_NK[:, second], ranks_NK[:, first])


def _difference(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # infinite less infinite: undecided
        return left - right


def item_pairs(n_items: int) -> list[tuple[int, int]]:
    """Return every two item numbers in the order that all arrays over pairs of items have."""
    return list(itertools.combinations(range(n_items), 2))
