"""Split prompts into folds so that no prompt's answers are ever on both sides."""

import random
from collections.abc import Sequence


def fold_assign(prompt_keys: Sequence[str], *, n_folds: int, seed: int) -> dict[str, int]:
    """Return each distinct prompt's fold: sizes differ by at most one, and the order of the input does not matter.

    Raises: ValueError when there are fewer prompts than folds.
    """
    keys = sorted(set(prompt_keys))
    if len(keys) < n_folds:
        raise ValueError(f"{len(keys)} prompts cannot fill {n_folds} folds.")
    random.Random(f"folds-{seed}").shuffle(keys)  # noqa: S311 - a seeded shuffle, not a secret
    return {key: position % n_folds for position, key in enumerate(keys)}
