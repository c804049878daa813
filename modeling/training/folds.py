"""Split prompts into folds so that no prompt's answers are ever on both sides."""

import random
from collections.abc import Sequence

from modeling.errors import BadInput


def fold_assign(prompt_keys: Sequence[str], *, n_folds: int, seed: int) -> dict[str, int]:
    """Return each distinct prompt's fold: sizes differ by at most one, and the order of the input does not matter.

    Raises: ValueError when there are fewer prompts than folds.
    """
    keys = sorted(set(prompt_keys))
    if len(keys) < n_folds:
        raise ValueError(f"{len(keys)} prompts cannot fill {n_folds} folds.")
    random.Random(f"folds-{seed}").shuffle(keys)  # noqa: S311 - a seeded shuffle, not a secret
    return {key: position % n_folds for position, key in enumerate(keys)}


def prompts_hold_out(prompt_keys: Sequence[str], *, share: float, seed: int) -> frozenset[str]:
    """Return the prompts to keep from training; a share above 0 is at least one. The input's order does not matter.

    Raises: BadInput when none would be left to train on.
    """
    keys = sorted(set(prompt_keys))
    n_held_out = max(1, round(share * len(keys))) if share else 0
    if n_held_out >= max(1, len(keys)):
        raise BadInput(f"Holding out {n_held_out} of {len(keys)} prompts leaves none to train on: lower heldout_share.")
    return frozenset(random.Random(f"heldout-{seed}").sample(keys, n_held_out))  # noqa: S311 - a seeded draw
