"""What changes the next logits of a row because of what stands there already. They do not change log-probabilities.

A processor keeps what it needs of each row beside the batch and follows its rows when they leave and join.
B rows, V tokens of the vocabulary, W bad words, M tokens of the longest bad word but the last.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from transformers import PreTrainedTokenizerFast

from modeling.data.chat import encode_text
from modeling.sampling.decoding import DecodingSettings

_NONE, _ANY = -1, -2
"""Stand for a token that is not there yet, and for one that does not matter."""


class Processor(Protocol):
    """What a batch asks of each of its processors."""

    def process(self, logits_BV: torch.Tensor) -> torch.Tensor:
        """Return what to choose the next token from."""

    def append(self, tokens_B: torch.Tensor) -> None:
        """Take note of the chosen tokens."""

    def select(self, rows_B: torch.Tensor) -> None:
        """Keep these rows."""

    def join(self, other: "Processor") -> None:
        """Append another batch's rows; the other is a processor of the same kind."""


class RepetitionPenalty:
    """Divides positive and multiplies negative logits of all tokens seen, those of the prompt among them.

    Source: Keskar et al., 2019, https://arxiv.org/abs/1909.05858, section 4.1.
    """

    def __init__(
        self, penalty: float, prompts: Sequence[Sequence[int]], vocab_size: int, torch_device: torch.device
    ) -> None:
        self.penalty = penalty
        self.seen_BV = torch.zeros(len(prompts), vocab_size, dtype=torch.bool, device=torch_device)
        for row, prompt in enumerate(prompts):
            self.seen_BV[row, torch.tensor(prompt, device=torch_device)] = True

    def process(self, logits_BV: torch.Tensor) -> torch.Tensor:
        penalised_BV = torch.where(logits_BV < 0, logits_BV * self.penalty, logits_BV / self.penalty)
        return torch.where(self.seen_BV, penalised_BV, logits_BV)

    def append(self, tokens_B: torch.Tensor) -> None:
        self.seen_BV.scatter_(1, tokens_B[:, None], value=True)

    def select(self, rows_B: torch.Tensor) -> None:
        self.seen_BV = self.seen_BV[rows_B]

    def join(self, other: Processor) -> None:
        assert isinstance(other, RepetitionPenalty)
        self.seen_BV = torch.cat([self.seen_BV, other.seen_BV])


class BadWords:
    """Forbids the last token of a sequence where the answer so far ends with all of it but that token."""

    def __init__(self, words: Sequence[Sequence[int]], n_rows: int, torch_device: torch.device) -> None:
        longest = max(len(word) for word in words) - 1
        starts = [[_ANY] * (longest + 1 - len(word)) + list(word[:-1]) for word in words]
        self.starts_WM = torch.tensor(starts, dtype=torch.long, device=torch_device).reshape(len(words), longest)
        self.lasts_W = torch.tensor([word[-1] for word in words], device=torch_device)
        self.recent_BM = torch.full((n_rows, longest), _NONE, dtype=torch.long, device=torch_device)

    def process(self, logits_BV: torch.Tensor) -> torch.Tensor:
        same_BWM = (self.recent_BM[:, None] == self.starts_WM) | (self.starts_WM == _ANY)
        hits_BV = torch.zeros_like(logits_BV).index_add_(1, self.lasts_W, same_BWM.all(-1).to(logits_BV.dtype))
        return logits_BV.masked_fill(hits_BV > 0, -torch.inf)

    def append(self, tokens_B: torch.Tensor) -> None:
        if self.recent_BM.shape[1]:
            self.recent_BM = torch.cat([self.recent_BM[:, 1:], tokens_B[:, None]], 1)

    def select(self, rows_B: torch.Tensor) -> None:
        self.recent_BM = self.recent_BM[rows_B]

    def join(self, other: Processor) -> None:
        assert isinstance(other, BadWords)
        self.recent_BM = torch.cat([self.recent_BM, other.recent_BM])


def processors_for(
    settings: DecodingSettings, prompts: Sequence[Sequence[int]], vocab_size: int, torch_device: torch.device
) -> list[Processor]:
    """Return what the settings ask for, in the order in which it applies."""
    found: list[Processor] = []
    if settings.repetition_penalty != 1:
        found.append(RepetitionPenalty(settings.repetition_penalty, prompts, vocab_size, torch_device))
    if settings.bad_words:
        found.append(BadWords(settings.bad_words, len(prompts), torch_device))
    return found


def spellings(words: Sequence[str], tokenizer: PreTrainedTokenizerFast) -> tuple[tuple[int, ...], ...]:
    """Return the token sequences of words as they stand at the start of a text and after a space.

    A word that the tokenizer would never cut like that, in parts of its letters, is not found.
    """
    texts = [start + word.strip() for word in words for start in ("", " ") if word.strip() or not start]
    return tuple(dict.fromkeys(tuple(encode_text(tokenizer, text)) for text in texts))
