"""One answer while it is being written. No tensors here."""

import dataclasses
from collections.abc import Callable

from transformers import PreTrainedTokenizerBase

from modeling.sampling.decoding import Completion, DecodingSettings, FinishReason


@dataclasses.dataclass(eq=False)
class Draft:
    """A prompt, the seed of its answer, and what has been written so far."""

    prompt: tuple[int, ...]
    seed: int
    limit: int
    """Tokens that the answer may have, within the context."""
    on_token: Callable[[int], None] | None = None
    on_end: Callable[[], None] | None = None
    tokens: list[int] = dataclasses.field(default_factory=list)
    logprobs: list[float] = dataclasses.field(default_factory=list)
    end: FinishReason | None = None

    @property
    def n_read(self) -> int:
        """Tokens that the model has read: all but the newest."""
        return len(self.prompt) + len(self.tokens) - 1

    def write(self, token: int, *, is_end: bool, tokenizer: PreTrainedTokenizerBase, stop: tuple[str, ...]) -> None:
        """Append a token, end where it ends the answer, and tell who listens."""
        self.tokens.append(token)
        if is_end or (stop and self._stop_at(tokenizer, stop) is not None):
            self.end = "stop"
        elif len(self.tokens) == self.limit:
            self.end = "length"
        if self.on_token:
            self.on_token(token)
        if self.end and self.on_end:
            self.on_end()

    def completion(self, tokenizer: PreTrainedTokenizerBase, settings: DecodingSettings) -> Completion:
        """Return the finished answer."""
        assert self.end is not None, "only a finished answer is handed out"
        text = text_of(self.tokens, tokenizer)
        return Completion(
            token_ids=self.tokens,
            text=text[: self._stop_at(tokenizer, settings.stop)] if settings.stop else text,
            finish_reason=self.end,
            logprobs=self.logprobs if settings.logprobs else None,
        )

    def _stop_at(self, tokenizer: PreTrainedTokenizerBase, stop: tuple[str, ...]) -> int | None:
        text = text_of(self.tokens, tokenizer)
        found = [at for at in (text.find(item) for item in stop) if at >= 0]
        return min(found, default=None)


def text_of(tokens: list[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """Return an answer's tokens as text."""
    text: str = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text
