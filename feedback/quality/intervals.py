"""95% intervals: of shares and means whose rows come in clusters, of statistics of sums, of medians.

Rows of one cluster (the pairs of one ranking, all judgments of one task) resemble each other; counting them as
independent makes intervals too narrow. Everything here takes sums by cluster and lets the clusters speak for the
spread.
"""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, bdtrik, stdtrit

from feedback.domain.quality import NOTHING, Estimate
from feedback.quality.sums import sum_by

Z = 1.959963984540054
"""Of a normal distribution 2.5% lies above it."""
N_GROUPS = 200
"""Of clusters for the jackknife: more change a standard error by less than its own error of 5%."""

Floats = NDArray[np.float64]


def wilson(share: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Return the interval of a share of `n` independent rows. Source: Wilson 1927, JASA 22, equation 4."""
    n = np.maximum(n, 1e-9)
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def effective_rows(
    hits_C: Floats,
    totals_C: Floats,
    group_C: NDArray[np.int64],
    n_groups: int,
    squares_C: Floats | None = None,
) -> Floats:
    """Return how many independent rows the clustered rows of each group are worth: rows over the design effect.

    v = m / (m - 1) sum (h - p n)^2 / N^2 over m clusters, n* = p (1 - p) / v, times (z / t with m - 1 degrees of
    freedom)^2 because v is itself estimated; never more than if the rows were independent. Where all rows agree v says
    nothing, and each cluster counts once. `squares_C` are the sums of squares of hits that can be halves; they vary
    less than whole ones.
    Source: Korn and Graubard 1998, Survey Methodology 24(2), section 3.
    """
    used = totals_C > 0
    squares_C = (hits_C if squares_C is None else squares_C)[used]
    hits_C, totals_C, group_C = hits_C[used], totals_C[used], group_C[used]
    clusters = np.bincount(group_C, minlength=n_groups).astype(np.float64)
    rows = sum_by(group_C, totals_C, n_groups)
    share = sum_by(group_C, hits_C, n_groups) / np.maximum(rows, 1e-9)
    residual = hits_C - share[group_C] * totals_C
    freedom = np.maximum(clusters - 1, 1)
    variance = sum_by(group_C, residual**2, n_groups) * clusters / freedom / np.maximum(rows, 1e-9) ** 2
    spread = share * (1 - share)
    known = (variance > 1e-15) & (spread > 1e-15) & (clusters > 1)
    narrow = (Z / stdtrit(freedom, 0.975)) ** 2
    effective = np.where(known, spread / np.where(known, variance, 1) * narrow, clusters)
    varies = sum_by(group_C, squares_C, n_groups) / np.maximum(rows, 1e-9) - share**2
    return np.minimum(effective, rows * np.where(varies > 1e-15, spread / np.maximum(varies, 1e-15), 1))


def shares(
    hits_C: Floats, totals_C: Floats, group_C: NDArray[np.int64], n_groups: int, *, method: str
) -> list[Estimate]:
    """Return for each group its share of hits. (C,) arrays are sums of clusters; `n` of an estimate is its rows."""
    hits = sum_by(group_C, hits_C, n_groups)
    totals = sum_by(group_C, totals_C, n_groups)
    share = hits / np.maximum(totals, 1e-9)
    low, high = wilson(share, effective_rows(hits_C, totals_C, group_C, n_groups))
    return [
        Estimate(float(value), float(lower), float(upper), round(total), method) if total > 0 else NOTHING
        for value, lower, upper, total in zip(share, low, high, totals, strict=True)
    ]


def share_of(hits_C: Floats, totals_C: Floats, *, method: str) -> Estimate:
    """Return one share of hits from the sums of clusters."""
    return shares(hits_C, totals_C, np.zeros(len(hits_C), np.int64), 1, method=method)[0]


def means(values_N: Floats, group_N: NDArray[np.int64], n_groups: int, *, method: str) -> list[Estimate]:
    """Return the mean of each group's values with Student's interval; a single value has none."""
    n = np.bincount(group_N, minlength=n_groups)
    mean = sum_by(group_N, values_N, n_groups) / np.maximum(n, 1)
    freedom = np.maximum(n - 1, 1)
    squares = sum_by(group_N, (values_N - mean[group_N]) ** 2, n_groups)
    half = stdtrit(freedom, 0.975) * np.sqrt(squares / freedom / np.maximum(n, 1))
    return [
        NOTHING
        if not count
        else Estimate(float(value), None, None, int(count), method)
        if count == 1
        else Estimate(float(value), float(value - width), float(value + width), int(count), method)
        for value, width, count in zip(mean, half, n, strict=True)
    ]


def medians(values_N: Floats, group_N: NDArray[np.int64], n_groups: int, *, method: str) -> list[Estimate]:
    """Return the median of each group's values with an interval between the values themselves.

    The d-th value from either end leaves the median out with the probability 2 P(Binomial(n, 1/2) < d); the ends lie
    between the last d with less than 5% and the next. Fewer than six values have no interval.
    Source: Hettmansperger and Sheather 1986, Statistics and Probability Letters 4, section 2.
    """
    order = np.lexsort((values_N, group_N))
    starts = np.searchsorted(group_N[order], np.arange(n_groups + 1))
    return [_median(values_N[order[begin:end]], method) for begin, end in itertools.pairwise(starts)]


def _median(ordered: Floats, method: str) -> Estimate:
    n = len(ordered)
    if not n:
        return NOTHING
    if bdtr(0, n, 0.5) > 0.025:
        return Estimate(float(np.median(ordered)), None, None, n, method)
    d = int(bdtrik(0.025, n, 0.5)) + 1
    wide, narrow = 1 - 2 * bdtr(d - 1, n, 0.5), 1 - 2 * bdtr(d, n, 0.5)
    share = (wide - 0.95) / (wide - narrow)
    inwards = (n - d) * share / (d + (n - 2 * d) * share)
    low = (1 - inwards) * ordered[d - 1] + inwards * ordered[d]
    high = (1 - inwards) * ordered[n - d] + inwards * ordered[n - d - 1]
    return Estimate(float(np.median(ordered)), float(low), float(high), n, method)


def groups_of(n_clusters: int, generator: np.random.Generator, most: int = N_GROUPS) -> NDArray[np.int64]:
    """Return for each cluster a group, chosen at random, of at most `most` groups of equal size."""
    return generator.permutation(np.arange(n_clusters) % most)


def jackknife(
    sums_GD: Floats, statistic: Callable[[Floats], Floats], *, n: int, method: str, most: float = 1.0
) -> Estimate:
    """Return a statistic of sums, with the interval of the delete-a-group jackknife.

    `statistic` takes (N, D) sums and returns (N,) values; it is asked for the total and for the total without each
    group.
    Source: Kott 2001, Journal of Official Statistics 17(4), equation 3; Student's t with G - 1 degrees of freedom.
    """
    total = sums_GD.sum(axis=0)
    groups = len(sums_GD)
    (value,) = statistic(total[None])
    if not np.isfinite(value):
        return NOTHING
    without = statistic(total - sums_GD)
    if groups < 2 or not np.isfinite(without).all():
        return Estimate(float(value), None, None, n, method)
    error = np.sqrt((groups - 1) / groups * ((without - without.mean()) ** 2).sum())
    half = float(stdtrit(groups - 1, 0.975) * error)
    return Estimate(float(value), max(float(value) - half, -most), min(float(value) + half, most), n, method)
