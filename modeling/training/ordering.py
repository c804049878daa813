"""An order of examples in which each batch holds examples of like length, so that little of it is padding.

The order is made before training and followed as it stands, so a resumed run finds its place by the step alone.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np

_BLOCK_BATCHES = 32  # sorted together: enough to find like lengths, few enough that a batch stays a random draw


def order_by_length(lengths: Sequence[int], *, batch_size: int, epochs: float, seed: int) -> list[int]:
    """Return indexes for `epochs` passes: shuffled, sorted by length within blocks, and the batches shuffled."""
    generator = np.random.default_rng(seed)
    n_examples = max(1, round(len(lengths) * epochs))
    passes = [generator.permutation(len(lengths)).tolist() for _ in range(math.ceil(epochs))]
    indexes = list(itertools.chain.from_iterable(passes))[:n_examples]
    batches: list[list[int]] = []
    for block in _chunks(indexes, batch_size * _BLOCK_BATCHES):
        batches += _chunks(sorted(block, key=lambda index: lengths[index]), batch_size)
    full = [batch for batch in batches if len(batch) == batch_size]
    rest = [batch for batch in batches if len(batch) < batch_size]  # at most one; last, so that others stay aligned
    shuffled = [full[position] for position in generator.permutation(len(full))]
    return list(itertools.chain.from_iterable(shuffled + rest))


def _chunks(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
