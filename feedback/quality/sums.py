"""Sums by group, the one operation under most statistics."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def sum_by(group_N: NDArray[np.integer], values_N: ArrayLike, n_groups: int) -> NDArray[np.float64]:
    """Return (G,) the sum of the values of each group."""
    sums: NDArray[np.float64] = np.bincount(group_N, np.asarray(values_N, np.float64), n_groups).astype(np.float64)
    return sums
