"""Put token sequences of like length together and pad them on the right.

Right padding with causal attention needs no attention mask: a position never sees what stands after it. Leaving the
mask out keeps scaled-dot-product attention on its fast causal path.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modeling.device import Device

MAX_LOGITS = 2**26
"""Logits alive at once in one forward pass: 256 MB of float32, twice that with its log-softmax."""
GPU_TOKENS = 16_384
CPU_TOKENS = 1_024
"""Tokens in one forward pass. A CPU gains nothing from more, and narrow groups of like length waste less on padding."""


@dataclass(frozen=True)
class Example:
    """A prompt and one answer to it as token ids; the answer ends with the end token unless it was cut."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.prompt + self.answer

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def token_budget(device: Device, vocab_size: int = 1) -> int:
    """Return how many tokens one forward pass may hold; with a vocabulary, one that computes logits."""
    return max(512, min(CPU_TOKENS if device.is_cpu else GPU_TOKENS, MAX_LOGITS // vocab_size))


def pack(lengths: Sequence[int], *, max_tokens: int) -> list[list[int]]:
    """Group positions by length, longest first, so that each group padded to its longest holds at most `max_tokens`.

    A single sequence above the limit gets a group of its own. The result depends on the lengths alone.
    """
    groups: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if groups and (len(groups[-1]) + 1) * lengths[groups[-1][0]] <= max_tokens:
            groups[-1].append(position)
        else:
            groups.append([position])
    return groups


def pad_right(sequences: Sequence[Sequence[int]], *, device: torch.device | str = "cpu", fill: int = 0) -> Tensor:
    """Return ids_BT; what stands after a sequence's end is never read."""
    width = max(len(sequence) for sequence in sequences)
    rows = [list(sequence) + [fill] * (width - len(sequence)) for sequence in sequences]
    return torch.tensor(rows, dtype=torch.long, device=device)
