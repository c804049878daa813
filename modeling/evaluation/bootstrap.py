"""Percentile bootstrap over prompts (Efron, 1979): a prompt's answers hang together, so prompts are redrawn."""

from collections.abc import Sequence

import numpy as np

CHUNK = 64
"""Resamples drawn at once: 64 x 1,000 prompts of 8-byte indices stay far below a megabyte."""


def bootstrap_ratio(
    numerators: Sequence[float], denominators: Sequence[float], *, n_resamples: int, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of sum(numerators) / sum(denominators) over redrawn prompts.

    Each position is one prompt. With all denominators one this is the interval of a mean.
    """
    tops, bottoms = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if len(tops) == 0 or len(tops) != len(bottoms):
        raise ValueError(f"{len(tops)} numerators and {len(bottoms)} denominators: one of each per prompt is needed.")
    generator = np.random.default_rng(seed)
    ratios: list[np.ndarray] = []
    for start in range(0, n_resamples, CHUNK):
        drawn = generator.integers(0, len(tops), size=(min(CHUNK, n_resamples - start), len(tops)))
        ratios.append(tops[drawn].sum(axis=1) / np.maximum(bottoms[drawn].sum(axis=1), 1e-12))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(ratios), [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_mean(values: Sequence[float], *, n_resamples: int, seed: int = 0) -> tuple[float, float]:
    """Return the 95% interval of a mean over prompts."""
    return bootstrap_ratio(values, [1.0] * len(values), n_resamples=n_resamples, seed=seed)
