"""Counts in bins."""

import math

import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import Histogram

N_BINS = 20
LONG = 0.98
"""Quantile of the times where the bins end: one tab forgotten overnight would leave all but one empty."""


def seconds_histogram(seconds_N: NDArray[np.float64]) -> Histogram:
    """Return known times in bins of the same number of whole seconds; the last one holds all longer times, too."""
    known = seconds_N[np.isfinite(seconds_N)]
    if not len(known):
        return Histogram((), ())
    width = max(1, math.ceil(float(np.quantile(known, LONG)) / N_BINS))
    bins = np.minimum(known // width, N_BINS - 1).astype(np.int64)
    edges = tuple(float(width * edge) for edge in range(N_BINS + 1))
    return Histogram(edges, tuple(np.bincount(bins, minlength=N_BINS).tolist()))


def agreement_histogram(share_T: NDArray[np.float64]) -> Histogram:
    """Return tasks by the share of pairs judged alike, in tenths; the last bin holds full agreement, too."""
    known = share_T[np.isfinite(share_T)]
    if not len(known):
        return Histogram((), ())
    bins = np.minimum((known * 10 + 1e-9).astype(np.int64), 9)
    return Histogram(tuple(edge / 10 for edge in range(11)), tuple(np.bincount(bins, minlength=10).tolist()))
