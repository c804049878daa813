"""Answers in the shapes of OpenAI's interface, whole and in pieces."""

import secrets
import time
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerFast

from modeling.sampling.decoding import Completion
from modeling.serving.requests import GenerationRequest


class ResponseWriter:
    """Writes everything that answers one request, under one id."""

    def __init__(self, request: GenerationRequest, tokenizer: PreTrainedTokenizerFast) -> None:
        self.request = request
        self.tokenizer = tokenizer
        self.id = f"{'chatcmpl' if request.is_chat else 'cmpl'}-{secrets.token_hex(12)}"
        self.created = int(time.time())

    def whole(self, completions: Sequence[Completion], n_written: int) -> dict[str, Any]:
        """Return the body of an answer that is not streamed; more may have been written than are answered with."""
        choices = [self._choice(i, completion) for i, completion in enumerate(completions)]
        return {**self._head(""), "choices": choices, "usage": self.usage(n_written)}

    def piece(
        self, index: int, text: str, *, finish_reason: str | None = None, is_first: bool = False
    ) -> dict[str, Any]:
        """Return one event of a streamed answer."""
        choice: dict[str, Any] = {"index": index, "finish_reason": finish_reason, "logprobs": None}
        if self.request.is_chat:
            choice["delta"] = ({"role": "assistant"} if is_first else {}) | ({"content": text} if text else {})
        else:
            choice["text"] = text
        return {**self._head(".chunk"), "choices": [choice]}

    def usage_piece(self, completions: Sequence[Completion]) -> dict[str, Any]:
        """Return the last event of a streamed answer whose client asked for its usage."""
        return {**self._head(".chunk"), "choices": [], "usage": self.usage(self.n_tokens(completions))}

    def n_tokens(self, completions: Sequence[Completion]) -> int:
        """Return how many tokens these answers have."""
        return sum(len(completion.token_ids) for completion in completions)

    def usage(self, n_written: int) -> dict[str, int]:
        """Return the tokens read (each prompt once) and written."""
        n_read = sum(len(prompt) for prompt in self.request.prompts)
        return {"prompt_tokens": n_read, "completion_tokens": n_written, "total_tokens": n_read + n_written}

    def _head(self, suffix: str) -> dict[str, Any]:
        kind = f"chat.completion{suffix}" if self.request.is_chat else "text_completion"
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def _choice(self, index: int, completion: Completion) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": index, "finish_reason": completion.finish_reason, "logprobs": self._logprobs(completion),
        }  # fmt: skip
        if self.request.is_chat:
            choice["message"] = {"role": "assistant", "content": completion.text}
        else:
            choice["text"] = completion.text
        return choice

    def _logprobs(self, completion: Completion) -> dict[str, Any] | None:
        if completion.logprobs is None:
            return None
        texts = [self.tokenizer.decode([token]) for token in completion.token_ids]
        if not self.request.is_chat:
            return {"tokens": texts, "token_logprobs": completion.logprobs, "top_logprobs": None, "text_offset": None}
        return {
            "content": [
                {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}
                for text, logprob in zip(texts, completion.logprobs, strict=True)
            ]
        }
