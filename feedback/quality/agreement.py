"""How alike people judge: share of pairs judged alike, Kendall's tau-b, Krippendorff's alpha."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import NOTHING, Estimate
from feedback.quality.couples import Couples
from feedback.quality.intervals import groups_of, jackknife, share_of, shares
from feedback.quality.pairs import Pairs
from feedback.quality.sums import sum_by

Floats = NDArray[np.float64]
Metric = Literal["nominal", "ordinal", "interval"]


def label_counts(pairs: Pairs) -> Floats:
    """Return (Q, 3) how many counted judgments say: the second won, a tie, the first won."""
    code = (pairs.pair.astype(np.int64) * 3 + pairs.label + 1)[pairs.counted]
    counts: Floats = np.bincount(code, minlength=3 * len(pairs.task)).reshape(-1, 3).astype(np.float64)
    return counts


def pairwise_agreement(counts_Q3: Floats, task_Q: NDArray[np.int32], n_tasks: int) -> tuple[Estimate, Floats]:
    """Return the share of (two people, two items) judged alike, and (T,) each task's own; NaN for one person alone.

    Of n labels of a pair of items, n (n - 1) / 2 couples of people compare, and sum n_l (n_l - 1) / 2 of them agree.
    """
    n_Q = counts_Q3.sum(axis=1)
    alike = sum_by(task_Q, (counts_Q3 * (counts_Q3 - 1)).sum(axis=1) / 2, n_tasks)
    compared = sum_by(task_Q, n_Q * (n_Q - 1) / 2, n_tasks)
    by_task = np.divide(alike, compared, out=np.full(n_tasks, np.nan), where=compared > 0)
    return share_of(alike, compared, method="share of pairs, Wilson, clustered by task"), by_task


def annotator_agreement(pairs: Pairs, counts_Q3: Floats, annotator_J: NDArray[np.int64]) -> list[Estimate]:
    """Return for each annotator the share of pairs judged as the others did, over all others who judged the pair."""
    own = pairs.counted.astype(np.float64)
    alike_P = counts_Q3[pairs.pair, pairs.label + 1] - own
    others_P = counts_Q3.sum(axis=1)[pairs.pair] - own
    n = len(annotator_J)
    alike_J, others_J = sum_by(pairs.judgment, alike_P, n), sum_by(pairs.judgment, others_P, n)
    method = "share of pairs, Wilson, clustered by task"
    return shares(alike_J, others_J, annotator_J, pairs.n_annotators, method=method)


def kendall_tau(couples: Couples, task_J: NDArray[np.int64], generator: np.random.Generator) -> Estimate:
    """Return the mean tau-b over couples of judgments of a task; couples where one ranking ties everything have none.

    tau-b = sum of sign products over pairs / sqrt(untied pairs of the one times untied pairs of the other).
    Source: Kendall 1945, Biometrika 33(3), equation 7.
    """
    known = np.isfinite(couples.tau)
    tau = couples.tau[known]
    _, task = np.unique(task_J[couples.earlier[known]], return_inverse=True)
    group = groups_of(int(task.max(initial=-1)) + 1, generator)[task]
    sums = np.stack([np.bincount(group, tau), np.bincount(group)], axis=-1).astype(np.float64)
    return jackknife(
        sums,
        lambda sums_ND: sums_ND[:, 0] / np.where(sums_ND[:, 1] > 0, sums_ND[:, 1], np.nan),
        n=len(tau),
        method="mean of tau-b, jackknife over tasks",
    )


def coincidences(ranks_JK: Floats, task_J: NDArray[np.int64], group_T: NDArray[np.int64]) -> tuple[Floats, Floats, int]:
    """Return (G, V, V) coincidences by group of tasks, (V,) the values, and the number of units rated twice or more.

    A unit is (task, item). With n_c ratings of value c among the m of a unit, it adds n_c (n_k - [c = k]) / (m - 1).
    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C.
    """
    values = np.unique(ranks_JK[np.isfinite(ranks_JK)])
    size, n_tasks, n_groups = len(values), len(group_T), int(group_T.max(initial=-1)) + 1
    sums = np.zeros((n_groups, size, size))
    n_units = 0
    for item in range(ranks_JK.shape[1]):
        rated = np.isfinite(ranks_JK[:, item])
        code = task_J[rated] * size + np.searchsorted(values, ranks_JK[rated, item])
        counts_TV = np.bincount(code, minlength=n_tasks * size).reshape(n_tasks, size).astype(np.float64)
        m = counts_TV.sum(axis=1)
        kept = m >= 2
        n_units += int(kept.sum())
        scaled = counts_TV[kept] / (m[kept] - 1)[:, None]
        for c in range(size):
            for k in range(size):
                product = scaled[:, c] * (counts_TV[kept, k] - (c == k))
                sums[:, c, k] += sum_by(group_T[kept], product, n_groups)
    return sums, values, n_units


def alpha_of(coincidences_NVV: Floats, values: Floats, metric: Metric) -> Floats:
    """Return (N,) alpha = 1 - (n - 1) sum o_ck d_ck / sum n_c n_k d_ck; NaN where there is no variation.

    d is 1 for different values (nominal), (c - k)^2 (interval), or the squared number of ratings between the two
    values, half of either end's (ordinal). Source: Krippendorff 2011, sections C and E.
    """
    n_NV = coincidences_NVV.sum(axis=2)
    n_N = n_NV.sum(axis=1)
    if metric == "ordinal":
        reach = np.cumsum(n_NV, axis=1) - n_NV / 2
        distance = (reach[:, :, None] - reach[:, None, :]) ** 2
    elif metric == "interval":
        distance = np.broadcast_to((values[:, None] - values[None, :]) ** 2, coincidences_NVV.shape)
    else:
        distance = np.broadcast_to(1 - np.eye(len(values)), coincidences_NVV.shape)
    observed = (coincidences_NVV * distance).sum(axis=(1, 2))
    expected = (n_NV[:, :, None] * n_NV[:, None, :] * distance).sum(axis=(1, 2))
    share = np.divide(observed, expected, out=np.full(len(n_N), np.nan), where=expected > 0)
    alpha: Floats = 1 - (n_N - 1) * share
    return alpha


def krippendorff_alpha(
    ranks_JK: Floats,
    task_J: NDArray[np.int64],
    n_tasks: int,
    generator: np.random.Generator,
    metric: Metric = "ordinal",
) -> Estimate:
    """Return alpha with unit (task, item) and value rank; units with one rating add nothing."""
    sums, values, n_units = coincidences(ranks_JK, task_J, groups_of(n_tasks, generator))
    if not n_units:
        return NOTHING
    size = len(values)
    return jackknife(
        sums.reshape(len(sums), size * size),
        lambda sums_ND: alpha_of(sums_ND.reshape(-1, size, size), values, metric),
        n=n_units,
        method=f"alpha, {metric}, jackknife over tasks",
    )
