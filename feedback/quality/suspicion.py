"""Who ranks at random, by the shown position, by copying, or faster than anybody can read.

Each question is asked only of people with at least `ENOUGH` judgments. Who ranks at random, by position or by copying
weighs nothing in the consensus; speed alone accuses nobody of wrong answers. A person decides what becomes of them.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from feedback.quality.copying import copyists_find
from feedback.quality.couples import Couples
from feedback.quality.intervals import wilson
from feedback.quality.pairs import Pairs
from feedback.quality.reliability import Reliability, hit_and_miss, reliability_fit
from feedback.quality.sums import sum_by

ENOUGH = 25
"""Judgments. With fewer, three wrong in eight would do to accuse an honest person."""
CAREFUL = 0.78
"""What a weak but honest annotator gets right; the line to guessing then lies at 65% of the pairs."""
LEANING = 2 / 3
"""Honest people lean to one side by a few points; nobody honest lets position decide one pair in three."""
HASTE = 0.2
"""Of the median time of all: five times as fast as the others."""


@dataclasses.dataclass(frozen=True)
class Suspicions:
    """Of each annotator (A,)."""

    random: NDArray[np.bool_]
    position: NDArray[np.bool_]
    copies: dict[int, int]
    """Whom each copyist copies, as rows of the annotators."""
    speed: NDArray[np.bool_]

    def names(self, annotator: int) -> tuple[str, ...]:
        """Return the names of the suspicions, as `AnnotatorFigures` lists them."""
        held = {
            "random": self.random[annotator],
            "position": self.position[annotator],
            "copying": annotator in self.copies,
            "speed": self.speed[annotator],
        }
        return tuple(name for name, is_held in held.items() if is_held)


def suspicions_find(
    pairs: Pairs,
    couples: Couples,
    annotator_J: NDArray[np.int64],
    counted_J: NDArray[np.bool_],
    seconds_J: NDArray[np.float64],
) -> tuple[Suspicions, Reliability]:
    """Return who is suspected of what, and the model fitted to the judgments of all others."""
    n = pairs.n_annotators
    enough = np.bincount(annotator_J, minlength=n) >= ENOUGH
    copies = copyists_find(pairs, couples, annotator_J, counted_J, enough)
    copying = np.isin(np.arange(n), list(copies))
    position = enough & ranks_by_position(pairs, annotator_J)
    model = reliability_fit(pairs, ~copying & ~position)
    random = enough & ~position & (guessing_gain(pairs, model) > 0)
    model = reliability_fit(pairs, ~copying & ~position & ~random)
    random = enough & ~position & (guessing_gain(pairs, model) > 0)
    model = reliability_fit(pairs, ~copying & ~position & ~random)
    return Suspicions(random, position, copies, enough & works_in_haste(annotator_J, seconds_J, n)), model


def guessing_gain(pairs: Pairs, model: Reliability) -> NDArray[np.float64]:
    """Return (A,) log-likelihood of guessing less that of being right in `CAREFUL` of the pairs, as others see them."""
    hit, miss = hit_and_miss(pairs, model.others_view(pairs))
    gain = np.log(0.5 * (hit + miss) + 1e-12) - np.log(CAREFUL * hit + (1 - CAREFUL) * miss + 1e-12)
    return sum_by(pairs.annotator[pairs.label != 0], gain, pairs.n_annotators)


def ranks_by_position(pairs: Pairs, annotator_J: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (A,) whose share of wins of the item shown first has an interval wholly outside `LEANING`.

    The interval takes each judgment as one row, since one decision to rank by position decides all its pairs.
    """
    known = (pairs.label != 0) & (pairs.shown != 0)
    annotator = pairs.annotator[known]
    totals = np.bincount(annotator, minlength=pairs.n_annotators)
    wins = sum_by(annotator, pairs.label[known] == pairs.shown[known], pairs.n_annotators)
    judgments = np.unique(pairs.judgment[known])
    rows = np.bincount(annotator_J[judgments], minlength=pairs.n_annotators).astype(np.float64)
    low, high = wilson(wins / np.maximum(totals, 1), rows)
    return (totals > 0) & ((low > LEANING) | (high < 1 - LEANING))


def works_in_haste(
    annotator_J: NDArray[np.int64], seconds_J: NDArray[np.float64], n_annotators: int
) -> NDArray[np.bool_]:
    """Return (A,) who spent less than `HASTE` of the median time of all on more than half of their judgments."""
    known = np.isfinite(seconds_J)
    if not known.any():
        return np.zeros(n_annotators, np.bool_)
    hasty = seconds_J[known] < HASTE * np.median(seconds_J[known])
    n = np.bincount(annotator_J[known], minlength=n_annotators)
    return sum_by(annotator_J[known], hasty, n_annotators) > n / 2
