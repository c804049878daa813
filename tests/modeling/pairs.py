"""Judged pairs over a few sentences, for every stage that trains on preferences."""

import random

GOOD, BAD = ("It eats berries.", "It eats red berries."), ("It eats bread.", "It eats old bread.")


def preference_rows(n_prompts, *, flip=0.0, seed=0):
    generator = random.Random(seed)
    rows = []
    for i in range(n_prompts):
        chosen, rejected = (BAD[i % 2], GOOD[i % 2]) if generator.random() < flip else (GOOD[i % 2], BAD[i % 2])
        rows.append(
            {
                "prompt": [{"role": "user", "content": f"What does fox {i} eat?"}],
                "chosen": [{"role": "assistant", "content": chosen}],
                "rejected": [{"role": "assistant", "content": rejected}],
                "prompt_id": f"p{i}",
            }
        )
    return rows


def verdict_rows(n_pairs):
    """Each pair's chosen answer called good, and its rejected one bad."""
    return [
        {"prompt": row["prompt"], "completion": row[side], "label": side == "chosen"}
        for row in preference_rows(n_pairs)
        for side in ("chosen", "rejected")
    ]
