"""Over-optimisation: reward and judge against the square root of the KL over a training, and where they part.

The reward is what was optimised, so it rises. The judge was not, and at first it rises too; later the policy finds what
the reward model is wrong about, and the judge falls (Gao et al., 2022, https://arxiv.org/abs/2210.10760).

- They part at the first snapshot from which the judge fell, beyond noise, while the reward rose.
- The warning needs no fall. With d the square root of the KL, the judge's gain follows d (a - b log d) in online
  reinforcement learning (their eq. 2). Fitted to the snapshots so far, the curve's slope sinks to a quarter of its mean
  slope at half the KL of its top: the warning is the first snapshot beyond that.

Shapes: S snapshots in the order of training, the first being the SFT policy; P prompts, the same for all; R resamples.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL = 0.95
WARNING_SLOPE = 0.25
"""Of the mean slope since SFT: at half the KL of the top, early enough to stop and late enough to be seen."""
MIN_POINTS = 4
"""Snapshots beside SFT that a curve of two coefficients is fitted to: fewer follow their noise."""


@dataclasses.dataclass(frozen=True)
class Point:
    """One snapshot; intervals are 95% over redrawn prompts."""

    step: int
    kl_nats: float
    reward: float
    reward_low: float
    reward_high: float
    judge: float
    judge_low: float
    judge_high: float


@dataclasses.dataclass(frozen=True)
class Overoptimisation:
    """The curve, and the steps at which it warns and parts; None where it does not."""

    points: tuple[Point, ...]
    warning_step: int | None
    parting_step: int | None
    parting_seen_step: int | None
    """The first snapshot whose judge lies below an earlier one's beyond noise; `parting_step` is the best of those."""


def overoptimisation(
    steps: Sequence[int], log_ratios_SP: Array, rewards_SP: Array, judges_SP: Array, *, n_bootstrap: int, seed: int = 0
) -> Overoptimisation:
    """Draw the curve from each snapshot's answers to the same prompts and find where reward and judge part."""
    n_prompts = judges_SP.shape[1]
    draws_RP = np.random.default_rng(seed).multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=n_bootstrap)
    kls_S, rewards_S, judges_S = (values.mean(axis=1) for values in (log_ratios_SP, rewards_SP, judges_SP))
    rewards_RS, judges_RS = draws_RP @ rewards_SP.T / n_prompts, draws_RP @ judges_SP.T / n_prompts
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    reward_ends_2S, judge_ends_2S = np.quantile(rewards_RS, ends, axis=0), np.quantile(judges_RS, ends, axis=0)
    points = tuple(
        Point(step, *map(float, values))
        for step, *values in zip(
            steps, kls_S, rewards_S, *reward_ends_2S, judges_S, *judge_ends_2S, strict=True
        )
    )  # fmt: skip
    parted = _parting(rewards_S, judges_S, _fall_margins(judges_S, judges_RS))
    warned = _warning(np.sqrt(np.maximum(kls_S, 0)), judges_S - judges_S[0])
    return Overoptimisation(
        points,
        warning_step=None if warned is None else steps[warned],
        parting_step=None if parted is None else steps[parted[0]],
        parting_seen_step=None if parted is None else steps[parted[1]],
    )


def _parting(rewards_S: Array, judges_S: Array, margins_SS: Array) -> tuple[int, int] | None:
    """Return the first fall of the judge while the reward rose: from the best snapshot before, and where it is seen."""
    pairs = [
        (before, after)
        for before in range(len(judges_S))
        for after in range(before + 1, len(judges_S))
        if judges_S[after] + margins_SS[before, after] < judges_S[before] and rewards_S[after] > rewards_S[before]
    ]
    return min(pairs, key=lambda pair: (pair[1], -judges_S[pair[0]]), default=None)


def _fall_margins(judges_S: Array, judges_RS: Array) -> Array:
    """Return how far the judge must fall between any two snapshots to be more than noise, [before, after].

    The margins hold for all pairs at once: they come from the largest of all pairs' studentised deviations in each
    resample, so that a fall does not stand out because many were looked at.
    """
    before, after = np.triu_indices(len(judges_S), k=1)
    deviations_RK = (judges_RS[:, after] - judges_RS[:, before]) - (judges_S[after] - judges_S[before])
    errors_K = deviations_RK.std(axis=0)
    studentised_RK = np.divide(deviations_RK, errors_K, out=np.zeros_like(deviations_RK), where=errors_K > 0)
    margins_SS = np.zeros((len(judges_S), len(judges_S)))
    margins_SS[before, after] = np.quantile(-studentised_RK.min(axis=1), LEVEL) * errors_K
    return margins_SS


def _warning(distances_S: Array, gains_S: Array) -> int | None:
    """Return the first snapshot at which the curve fitted so far has lost its slope."""
    for last in range(MIN_POINTS, len(distances_S)):
        d, gains = distances_S[1 : last + 1], gains_S[1 : last + 1]
        if d.min() <= 0:
            continue
        a, b = np.linalg.lstsq(np.stack([d, -d * np.log(d)], axis=1), gains, rcond=None)[0]
        mean_slope = a - b * np.log(d[-1])
        if mean_slope - b < WARNING_SLOPE * mean_slope:
            return last
    return None
