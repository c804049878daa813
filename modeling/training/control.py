"""Two numbers that follow the training: the KL coefficient and the spread of the scores. Plain Python, kept as JSON."""

import dataclasses
import math
from collections.abc import Sequence

KL_GAIN = 0.25
KL_ERROR_LIMIT = 0.2
"""A step changes the coefficient by at most 5%. The gain was published as 0.1, for thousands of steps: 40 of them were
over before the coefficient was found."""
KL_RISE_SHARE = 0.6
"""Of the steps, in which the target rises from where the policy starts. A policy needs that long to get anywhere:
measured by the whole target from the first step on, the coefficient falls until the policy overshoots."""
MIN_STD = 1e-3
"""Scores come in units of their spread over the reward model's training answers: below this they are all the same."""


def kl_coef_next(
    kl_coef: float, kl_nats: float, *, target_nats: float, start_nats: float = 0.0, progress: float = 1.0
) -> float:
    """Return the coefficient for the next step: higher when the KL was above its target, lower when it was below.

    `progress` is the share of the steps that are done: at first the target is near `start_nats`, where the policy was
    before them. Source: Ziegler et al., 2019 (https://arxiv.org/abs/1909.08593), section 2.2.
    """
    now_nats = start_nats + (target_nats - start_nats) * min(1.0, progress / KL_RISE_SHARE)
    error = min(max(kl_nats / now_nats - 1, -KL_ERROR_LIMIT), KL_ERROR_LIMIT)
    return kl_coef * (1 + KL_GAIN * error)


@dataclasses.dataclass
class RunningSpread:
    """Count, mean and sum of squared deviations of all numbers so far.

    Source: Chan, Golub and LeVeque, 1983, https://doi.org/10.1080/00031305.1983.10483115.
    """

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Sequence[float]) -> None:
        """Take a batch in."""
        mean = math.fsum(values) / len(values)
        squares = math.fsum((value - mean) ** 2 for value in values)
        n = self.n + len(values)
        self.squares += squares + (mean - self.mean) ** 2 * self.n * len(values) / n
        self.mean += (mean - self.mean) * len(values) / n
        self.n = n

    @property
    def std(self) -> float:
        """The standard deviation, never so small that dividing by it makes noise of nothing."""
        return max(math.sqrt(self.squares / self.n), MIN_STD) if self.n else 1.0
