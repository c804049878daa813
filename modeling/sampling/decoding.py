"""What is asked of the sampler and what it answers; no tensors here."""

import dataclasses
from typing import Literal

from modeling.errors import BadInput

FinishReason = Literal["stop", "length"]

MAX_STOP_STRINGS = 4
"""As OpenAI's interface has it: stop strings are searched in decoded text after every token."""
MAX_BAD_WORDS = 256
"""Each is compared with the end of every row at every step."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodingSettings:
    """How tokens are chosen. Temperature 0 is greedy; top_k 0, top_p 1 and min_p 0 keep the whole distribution."""

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    """The least probability of a token, as a share of the likeliest one's."""
    repetition_penalty: float = 1.0
    """Above 1 makes what stands in the prompt or in the answer so far less likely, below 1 more likely."""
    bad_words: tuple[tuple[int, ...], ...] = ()
    """Token sequences that must not appear in an answer."""
    stop_token_ids: tuple[int, ...] = ()
    """Beside the end tokens of the tokenizer and the base."""
    stop: tuple[str, ...] = ()
    """Texts at which an answer ends; the text is cut before them, the tokens are kept."""
    logprobs: bool = False

    @property
    def greedy(self) -> bool:
        return self.temperature == 0

    def validate(self) -> None:
        """Raises: BadInput."""
        penalty = self.repetition_penalty
        for right, message in (
            (self.max_new_tokens >= 1, f"max_new_tokens must be at least 1, not {self.max_new_tokens}."),
            (0 <= self.temperature <= 100, f"temperature must be between 0 and 100, not {self.temperature}."),
            (0 < self.top_p <= 1, f"top_p must be in (0, 1], not {self.top_p}."),
            (self.top_k >= 0, f"top_k must be at least 0, not {self.top_k}."),
            (0 <= self.min_p <= 1, f"min_p must be between 0 and 1, not {self.min_p}."),
            (0.01 <= penalty <= 100, f"repetition_penalty must be between 0.01 and 100, not {penalty}."),
            (len(self.bad_words) <= MAX_BAD_WORDS, f"bad_words has more than {MAX_BAD_WORDS} token sequences."),
            (all(self.bad_words), "A bad word must not be empty."),
            (len(self.stop) <= MAX_STOP_STRINGS, f"At most {MAX_STOP_STRINGS} stop texts, not {len(self.stop)}."),
            (all(self.stop), "A stop text must not be empty."),
        ):
            if not right:
                raise BadInput(message)


@dataclasses.dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer."""

    token_ids: list[int]
    """With the end token when the answer ended by one."""
    text: str
    finish_reason: FinishReason
    logprobs: list[float] | None = None
    """Log-probability of each token (nats) under the model itself: temperature 1, nothing filtered."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """An answer with what it was chosen by."""

    score: float
    completion: Completion
