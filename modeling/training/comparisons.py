"""Preference rows gathered by prompt: each distinct answer is encoded once, however many pairs it is part of.

A ranking of four answers is up to six pairs over four texts; scoring each text once makes a batch three times cheaper
and keeps all pairs of a prompt in the same batch.
"""

import dataclasses
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modeling.data.chat import encode_answer, encode_prompt
from modeling.data.preferences import Judgment, Preference
from modeling.errors import BadInput
from modeling.model.batching import Example

MAX_TOKENS_OF_PROMPT = 16_384
"""Of one prompt's answers in one forward pass: as many as a GPU takes at once anyway (`batching.py`)."""


@dataclass(frozen=True)
class Pair:
    """Positions of two answers among a comparison's, and the judgment that put the winner first."""

    winner: int
    loser: int
    judgment: Judgment = Judgment()
    weight: float = 1.0
    target: float = 1.0
    """Probability that the winner is truly better; of judged pairs both are set by `weighting.py`."""


@dataclass
class Comparison:
    """One prompt: its distinct answers, and the pairs that were judged among them."""

    key: str
    examples: list[Example] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    is_judged: bool = True
    """By people; if not, the pairs are what a reward model says (`sampled_pairs.py`)."""


def comparisons_build(
    preferences: Sequence[Preference], tokenizer: Any, *, max_length: int
) -> tuple[list[Comparison], int]:
    """Return the comparisons in order of first appearance and how many pairs were skipped: too long or empty.

    Raises: BadInput when no pair fits.
    """
    by_key: dict[str, Comparison] = {}
    n_skipped = 0
    for row in preferences:
        prompt = tuple(encode_prompt(tokenizer, row.prompt))
        chosen = Example(prompt, tuple(encode_answer(tokenizer, row.chosen, cut=row.chosen_cut)))
        rejected = Example(prompt, tuple(encode_answer(tokenizer, row.rejected, cut=row.rejected_cut)))
        if max(len(chosen), len(rejected)) > max_length or not (chosen.answer and rejected.answer):
            n_skipped += 1
            continue
        comparison = by_key.setdefault(row.prompt_id, Comparison(row.prompt_id))
        comparison.pairs.append(Pair(_position(comparison, chosen), _position(comparison, rejected), row.judgment))
    if not by_key:
        raise BadInput(
            f"None of {n_skipped} pairs can be used: each is longer than {max_length} tokens or has an answer that was "
            "cut before its first token. Give other pairs or raise max_length."
        )
    return list(by_key.values()), n_skipped


def plan_draw(
    comparisons: Sequence[Comparison], *, epochs: float, batch_pairs: int, seed: str
) -> list[list[Comparison]]:
    """Return every batch of a training in order; half an epoch too many is cut off at the end."""
    n_whole = math.ceil(epochs)
    batches = [
        batch
        for epoch in range(n_whole)
        for batch in batches_draw(comparisons, batch_pairs=batch_pairs, seed=f"{seed}-{epoch}")
    ]
    return batches[: max(1, round(len(batches) * epochs / n_whole))]


def batches_draw(comparisons: Sequence[Comparison], *, batch_pairs: int, seed: str) -> list[list[Comparison]]:
    """Return the comparisons shuffled and cut into batches of about `batch_pairs` pairs, prompts kept whole."""
    order = list(comparisons)
    random.Random(seed).shuffle(order)  # noqa: S311 - a seeded shuffle, not a secret
    batches: list[list[Comparison]] = []
    room = 0
    for comparison in order:
        if not batches or room < len(comparison.pairs):
            batches.append([])
            room = batch_pairs
        batches[-1].append(comparison)
        room -= len(comparison.pairs)
    return batches


def comparisons_split(batch: Sequence[Comparison], *, max_tokens: int) -> list[list[Comparison]]:
    """Cut a batch into groups of one forward pass each, prompts of like length together and kept whole.

    A prompt whose answers are more than fit into memory at once is gone through pair by pair.
    """
    pieces = [piece for comparison in batch for piece in _fitting(comparison)]
    groups: list[list[Comparison]] = []
    for piece in sorted(pieces, key=_longest):
        n_rows = sum(len(other.examples) for other in groups[-1]) if groups else 0
        if not groups or (n_rows + len(piece.examples)) * _longest(piece) > max_tokens:
            groups.append([])
        groups[-1].append(piece)
    return groups


def _fitting(comparison: Comparison) -> list[Comparison]:
    if len(comparison.examples) * _longest(comparison) <= MAX_TOKENS_OF_PROMPT:
        return [comparison]
    return [
        Comparison(
            comparison.key,
            [comparison.examples[pair.winner], comparison.examples[pair.loser]],
            [dataclasses.replace(pair, winner=0, loser=1)],
            comparison.is_judged,
        )
        for pair in comparison.pairs
    ]


def _longest(comparison: Comparison) -> int:
    return max(len(example) for example in comparison.examples)


def _position(comparison: Comparison, example: Example) -> int:
    if example not in comparison.examples:
        comparison.examples.append(example)
    return comparison.examples.index(example)
