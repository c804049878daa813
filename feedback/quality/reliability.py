"""How often each person judges a pair right, and what each pair most likely is: Dawid and Skene's model for pairs.

A pair of items is in truth won by one of them or a tie, which is the case for a share `tie`. Of a pair with a winner a
person says "tie" with the probability `tie_of_win`, else names the better item with the probability p of this person;
of a tie everybody says "tie" with the probability `tie_of_tie`, else either item. Item numbers mean nothing, so the two
wins are treated alike: one number a person, which 50 judgments can carry, where a full confusion matrix would need
eight.

Expectation-maximisation over whole arrays; rows are pairs in judgments (P), pairs of items (Q), annotators (A).
Source: Dawid and Skene 1979, Applied Statistics 28(1), equations 2.3 to 2.5; the single number a person is the "one
coin" of Zhang et al. 2014, arXiv:1406.3824, section 2.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import NOTHING, Estimate
from feedback.quality.intervals import wilson
from feedback.quality.pairs import Pairs
from feedback.quality.sums import sum_by

Floats = NDArray[np.float64]

START = 0.8
"""Everybody's p before the first look. Above one half, which tells right from wrong."""
PRIOR_PAIRS = 4.0
"""Pairs' worth of belief that a person is like the others: keeps the first few tasks from saying 0 or 1."""
HIGHEST = 0.99
"""Of p: nobody outvotes five others."""
CERTAIN = 40.0
"""Log-odds of what is known: no number of votes moves it."""
MAX_STEPS = 100
TOLERANCE = 1e-4
"""Of p: a hundredth of a point, far inside every interval."""


@dataclasses.dataclass(frozen=True)
class Reliability:
    """What the model knows after fitting."""

    right: NDArray[np.float64]
    """(A,) Probability of naming the better item."""
    trusted: NDArray[np.bool_]
    """(A,) Whose judgments count for the consensus."""
    tie: float
    tie_of_win: float
    tie_of_tie: float

    def row_odds(self, pairs: Pairs) -> Floats:
        """Return (P, 2) log-odds that each row gives a win of the first and of the second item against a tie.

        Nobody counts against what they say: a p under one half is taken as one half.
        """
        right = np.clip(self.right, 0.5, HIGHEST)
        tie = np.full_like(right, np.log(self.tie_of_win / self.tie_of_tie))
        decided = np.log((1 - self.tie_of_win) / ((1 - self.tie_of_tie) / 2))
        hit, miss = decided + np.log(right), decided + np.log(1 - right)
        odds_A3Z = np.stack([np.stack([miss, hit], -1), np.stack([tie, tie], -1), np.stack([hit, miss], -1)], 1)
        odds_A3Z *= self.trusted[:, None, None]
        votes: Floats = odds_A3Z.reshape(-1, 2)[pairs.annotator.astype(np.int64) * 3 + pairs.label + 1]
        votes[~pairs.counted] = 0
        return votes

    def pair_odds(self, pairs: Pairs) -> Floats:
        """Return (Q, 2) log-odds of a win of the first and of the second item against a tie, by all trusted people."""
        votes = self.row_odds(pairs)
        odds = np.stack([sum_by(pairs.pair, votes[:, side], len(pairs.task)) for side in (0, 1)], -1)
        odds += np.log((1 - self.tie) / 2 / self.tie)
        odds[pairs.known > 0] += np.array([CERTAIN, -CERTAIN])
        odds[pairs.known < 0] += np.array([-CERTAIN, CERTAIN])
        return odds

    def others_view(self, pairs: Pairs) -> Floats:
        """Return (P, 3) what all but this row's person make of its pair: win of the first, of the second, tie."""
        return posterior(self.pair_odds(pairs)[pairs.pair] - self.row_odds(pairs))


def posterior(odds: Floats) -> Floats:
    """Return (N, 3) probabilities of a win of the first, of the second, and of a tie from (N, 2) log-odds."""
    top = np.maximum(odds.max(axis=1), 0)
    chances = np.empty((len(odds), 3))
    chances[:, :2] = np.exp(odds - top[:, None])
    chances[:, 2] = np.exp(-top)
    chances /= chances.sum(axis=1, keepdims=True)
    return chances


def reliability_fit(pairs: Pairs, trusted: NDArray[np.bool_]) -> Reliability:
    """Fit everybody's p. Those who are not `trusted` (A,) are measured by the others and add nothing."""
    n = pairs.n_annotators
    model = Reliability(np.full(n, START), trusted, tie=0.1, tie_of_win=0.1, tie_of_tie=0.6)
    said_tie = pairs.label == 0
    heard = trusted[pairs.annotator] & pairs.counted
    heard_Q = np.zeros(len(pairs.task), np.bool_)
    heard_Q[pairs.pair[heard]] = True
    for _ in range(MAX_STEPS):
        chances = posterior(model.pair_odds(pairs))
        hit, miss = hit_and_miss(pairs, chances[pairs.pair])
        right = sum_by(pairs.annotator[~said_tie], hit, n)
        wrong = sum_by(pairs.annotator[~said_tie], miss, n)
        usual = (right[trusted].sum() + START) / (right[trusted].sum() + wrong[trusted].sum() + 1)
        tie_P = chances[pairs.pair[heard], 2]
        tie_said_P = tie_P[said_tie[heard]]
        fitted = dataclasses.replace(
            model,
            right=(right + PRIOR_PAIRS * usual) / (right + wrong + PRIOR_PAIRS),
            tie=float((chances[heard_Q, 2].sum() + 1) / (heard_Q.sum() + 10)),
            tie_of_win=float(((1 - tie_said_P).sum() + 1) / ((1 - tie_P).sum() + 10)),
            tie_of_tie=float((tie_said_P.sum() + 6) / (tie_P.sum() + 10)),
        )
        moved = np.abs(fitted.right - model.right).max(initial=0.0)
        model = fitted
        if moved < TOLERANCE:
            break
    return model


def is_knowable(pairs: Pairs) -> bool:
    """Return whether anything tells how often people are right: a pair that two judged, or one whose winner is known.

    Without it p stays where it began, which is no more than a guess.
    """
    return bool((np.bincount(pairs.pair) > 1).any() or np.isfinite(pairs.known).any())


def hit_and_miss(pairs: Pairs, chances_P3: Floats) -> tuple[Floats, Floats]:
    """Return the chance that a row named the winner and that it named the loser, for the rows that name one."""
    named = pairs.label != 0
    first, second = chances_P3[named, 0], chances_P3[named, 1]
    won_first = pairs.label[named] > 0
    return np.where(won_first, first, second), np.where(won_first, second, first)


def reliability_estimates(pairs: Pairs, model: Reliability, annotator_J: NDArray[np.int64]) -> list[Estimate]:
    """Return everybody's p, if one can be known, with an interval that knows that each pair's truth is itself a guess.

    With r the others' chance that this person named the winner, a row's score is s = (2 r - 1) / (r p + (1 - r) (1 -
    p)), and the variance of p is sum over judgments of (sum of s)^2 over (sum of s^2)^2: Wilson's interval of as many
    rows as have it.
    Source: Louis 1982, JRSS B 44(2), equation 3.2 for s; White 1982, Econometrica 50(1), theorem 3.2 for the variance.
    """
    if not is_knowable(pairs):
        return [NOTHING] * pairs.n_annotators
    named = pairs.label != 0
    annotator, judgment = pairs.annotator[named], pairs.judgment[named]
    hit, miss = hit_and_miss(pairs, model.others_view(pairs))
    right = model.right
    score = (hit - miss) / np.maximum(right[annotator] * hit + (1 - right[annotator]) * miss, 1e-9)
    information = sum_by(annotator, score**2, pairs.n_annotators)
    by_judgment = sum_by(judgment, score, len(annotator_J))
    spread = sum_by(annotator_J, by_judgment**2, pairs.n_annotators)
    n_rows = np.bincount(annotator, minlength=pairs.n_annotators)
    worth = right * (1 - right) * np.divide(information**2, spread, out=np.zeros_like(right), where=spread > 0)
    low, high = wilson(right, np.minimum(worth, n_rows))
    return [
        Estimate(float(value), float(lower), float(upper), int(n), "Dawid-Skene, one number a person") if n else NOTHING
        for value, lower, upper, n in zip(right, low, high, n_rows, strict=True)
    ]
