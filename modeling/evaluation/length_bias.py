"""Does a reward model let longer answers win by more than people do?

Each pair of answers has a difference in length and two outcomes: whom people chose, and whom the model scores higher.

A model decides alike whenever it is asked, where people waver; so even the best model of people's taste follows length,
and whatever else they care for, more steadily than their single judgments do. An excess of its coefficient over theirs
is therefore a fault only where length also rules its scores (`length_share`; figures in docs/experiments.md).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]

MAX_STEPS = 50
PRIOR_PAIRS = 1.0
"""Half a pair won and half a pair lost by an answer longer by one standard deviation: where the longer answer always
wins, the coefficient stays finite."""


def length_coefficient(lengths_P: Floats, outcomes_P: Floats, weights_P: Floats) -> float:
    """Return the coefficient of a logistic regression of winning on the difference in length, in standard deviations.

    `lengths_P` is how much longer the first answer is in units of the differences' root mean square, `outcomes_P` is 1
    where the first wins, 0 where the second does, between where that is not certain. Without an intercept, so it does
    not matter which answer stands first. By Newton's method; the likelihood is concave.
    """
    x = np.concatenate([lengths_P, [1.0]])
    y, weights = np.concatenate([outcomes_P, [0.5]]), np.concatenate([weights_P, [PRIOR_PAIRS]])
    beta = 0.0
    for _ in range(MAX_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(beta * x, -500, 500)))
        step = (weights * x * (y - chances)).sum() / max((weights * x**2 * chances * (1 - chances)).sum(), 1e-12)
        beta += float(np.clip(step, -1.0, 1.0))  # a far start cannot overshoot where the curve is flat
        if abs(step) < 1e-9:
            break
    return float(beta)


def length_share(lengths_P: Floats, differences_P: Floats, weights_P: Floats) -> float:
    """Return how much of the variance of the score differences the differences in length explain, from 0 to 1."""
    together = (weights_P * lengths_P * differences_P).sum()
    alone = (weights_P * lengths_P**2).sum() * (weights_P * differences_P**2).sum()
    return float(together**2 / alone) if alone > 0 else 0.0


def length_excess_p(
    lengths_P: Floats, model_P: Floats, people_P: Floats, weights_P: Floats, clusters_P: Sequence[str]
) -> float:
    """Return the one-sided p-value of the model's coefficient being no larger than people's, over the same pairs.

    A score test. At any common coefficient the two likelihoods' derivatives differ by the sum of length times the
    difference of outcomes, which is 0 on average if the coefficients are the same; its variance is taken over prompts,
    whose pairs hang together (Liang and Zeger, 1986, Biometrika 73(1)). A Wald test would fail where the model always
    lets the longer answer win: coefficient and error are then without bound (Hauck and Donner, 1977, JASA 72).
    """
    _, cluster_P = np.unique(np.asarray(clusters_P), return_inverse=True)
    sums = np.bincount(cluster_P, weights_P * lengths_P * (model_P - people_P))
    spread = float((sums**2).sum())
    if len(sums) < 2 or spread == 0:
        return 1.0
    return float(student.sf(sums.sum() / np.sqrt(spread), df=len(sums) - 1))
