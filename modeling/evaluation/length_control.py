"""The win rate that is left when neither side is longer: longer answers win with most judges, whatever they say.

A logistic regression of winning on the difference in length, read at no difference. As in AlpacaEval 2 (Dubois et al.,
2024, https://arxiv.org/abs/2404.04475, eq. 2), the difference goes through tanh, so that a few very long answers do not
decide. It is divided by its root mean square instead of its standard deviation: a policy that is longer by about the
same everywhere would otherwise sit where tanh is flat. There is one pair of sides, so no term for models or for
difficult prompts.

Shapes: K pairs of answers, P prompts, 2 coefficients (winning at no difference, length).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

RIDGE = 0.01
"""A weak pull of both coefficients to zero, in pairs: a side that always wins would have no finite ones."""
MAX_STEPS = 100
"""Newton's method needs about six; half steps where it would climb back."""
Z_95 = 1.959964


@dataclasses.dataclass(frozen=True)
class LengthControl:
    """The win rate at no difference in length with its 95% interval, and what length did."""

    win_rate: float
    low: float
    high: float
    effect: float
    """Log-odds of winning that one typical difference in length adds, before tanh flattens it; 0 is none."""
    effect_low: float
    effect_high: float


def length_control(prompts: Sequence[int], outcomes: Sequence[float], differences: Sequence[float]) -> LengthControl:
    """Regress K outcomes (1 a win, 0.5 a tie) on K differences in length, ours less theirs.

    `prompts` says which prompt each pair belongs to: every prompt counts as one, and the intervals take its pairs
    together (sandwich of Liang and Zeger, 1986, https://doi.org/10.1093/biomet/73.1.13).
    """
    prompts_K = np.unique(np.asarray(prompts), return_inverse=True)[1]
    weights_K = 1 / np.bincount(prompts_K)[prompts_K]
    outcomes_K, lengths_K = np.asarray(outcomes, dtype=np.float64), np.asarray(differences, dtype=np.float64)
    typical = np.sqrt(np.mean(lengths_K**2))
    features_K2 = np.stack([np.ones_like(lengths_K), np.tanh(lengths_K / (typical or 1.0))], axis=1)
    coefficients_2 = _fit(features_K2, outcomes_K, weights_K)
    residuals_K = weights_K * (outcomes_K - _sigmoid(features_K2 @ coefficients_2))
    scores_P2 = np.zeros((prompts_K.max() + 1, 2))
    np.add.at(scores_P2, prompts_K, residuals_K[:, None] * features_K2)
    bread_22 = np.linalg.inv(_curvature(features_K2, coefficients_2, weights_K))
    errors_2 = np.sqrt(np.diag(bread_22 @ scores_P2.T @ scores_P2 @ bread_22))
    low_2, high_2 = coefficients_2 - Z_95 * errors_2, coefficients_2 + Z_95 * errors_2
    rates = _sigmoid(np.array([coefficients_2[0], low_2[0], high_2[0]]))
    return LengthControl(*map(float, (*rates, coefficients_2[1], low_2[1], high_2[1])))


def _fit(features_K2: Array, outcomes_K: Array, weights_K: Array) -> Array:
    """Return the coefficients of the highest penalised likelihood, by Newton's method."""
    coefficients_2 = np.zeros(2)
    for _ in range(MAX_STEPS):
        residuals_K = weights_K * (outcomes_K - _sigmoid(features_K2 @ coefficients_2))
        gradient_2 = features_K2.T @ residuals_K - RIDGE * coefficients_2
        step_2 = np.linalg.solve(_curvature(features_K2, coefficients_2, weights_K), gradient_2)
        before = _loss(features_K2, outcomes_K, weights_K, coefficients_2)
        while _loss(features_K2, outcomes_K, weights_K, coefficients_2 + step_2) > before + 1e-9:
            step_2 = step_2 / 2
        coefficients_2 = coefficients_2 + step_2
        if np.abs(step_2).max() < 1e-8:
            break
    return coefficients_2


def _loss(features_K2: Array, outcomes_K: Array, weights_K: Array, coefficients_2: Array) -> float:
    logits_K = features_K2 @ coefficients_2
    loss_K = np.logaddexp(0, logits_K) - outcomes_K * logits_K
    return float(weights_K @ loss_K + RIDGE / 2 * coefficients_2 @ coefficients_2)


def _curvature(features_K2: Array, coefficients_2: Array, weights_K: Array) -> Array:
    chances_K = _sigmoid(features_K2 @ coefficients_2)
    return features_K2.T @ (features_K2 * (weights_K * chances_K * (1 - chances_K))[:, None]) + RIDGE * np.eye(2)


def _sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))
