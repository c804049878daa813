"""Random numbers that depend on a row's seed and step alone, so that a row's answer does not depend on its batch.

A counter-based generator: number k of seed s is the splitmix64 output at state s + k * gamma, computed for all rows and
steps at once. One uniform number a token is enough, because tokens are chosen by inverting the cumulative distribution.

Source: splitmix64, Steele, Lea and Flood, 2014, https://doi.org/10.1145/2714064.2660195.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def mix_seeds(*parts: int) -> int:
    """Return one 63-bit seed out of several numbers (a run's seed, a step, a row), all of which matter."""
    state = np.uint64(len(parts))
    for part in parts:
        state = _splitmix(np.array([(int(state) ^ (part & _MASK)) & _MASK], dtype=np.uint64), np.uint64(1))[0]
    return int(state >> np.uint64(1))


def row_uniforms(seeds: Sequence[int], n_steps: int, after: Sequence[int] | int = 0) -> torch.Tensor:
    """Return each row's next uniform numbers in [0, 1) as float64, shape (n_rows, n_steps).

    `after` says how many numbers of each row came before.
    """
    states = np.array([seed & _MASK for seed in seeds], dtype=np.uint64)
    # Mixed once before counting, or the streams of neighbouring seeds would overlap, shifted by one.
    starts = _splitmix(states, np.uint64(1))
    first = np.broadcast_to(np.asarray(after, dtype=np.uint64), states.shape)
    bits = _splitmix(starts[:, None], first[:, None] + np.arange(1, n_steps + 1, dtype=np.uint64)[None, :])
    # 52 bits: the largest number times a total is then always below the total in float64.
    return torch.from_numpy((bits >> np.uint64(12)).astype(np.float64) * 2.0**-52)


def _splitmix(states: NDArray[np.uint64], counters: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = states + counters * _GAMMA
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed
