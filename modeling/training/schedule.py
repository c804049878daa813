"""Learning-rate schedules as functions of the step: nothing to save, nothing to restore."""

import math

WARMUP_SHARE = 0.05


def warm_cosine(step: int, n_steps: int, *, warmup_share: float = WARMUP_SHARE) -> float:
    """Return the factor at a step (from 0): a linear rise over the first share, then half a cosine towards zero."""
    n_warm = max(1, round(n_steps * warmup_share))
    if step < n_warm:
        return (step + 1) / n_warm
    return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))


def long_run_factor(n_steps: int, *, full_rate_steps: int) -> float:
    """Return what the peak rate is multiplied by so that rate squared times steps stays within `full_rate_steps`."""
    return min(1.0, math.sqrt(full_rate_steps / n_steps))


def warm_linear(step: int, n_steps: int) -> float:
    """Return the factor at a step (from 0): a linear rise over the first twentieth, then a line towards zero."""
    n_warm = max(1, round(n_steps * WARMUP_SHARE))
    if step < n_warm:
        return (step + 1) / n_warm
    return (n_steps - step) / max(1, n_steps - n_warm)
