"""Bodies of requests, checked field by field. Knows the tokenizer, because a prompt's limits are in tokens.

A field that would change the answer and is not supported is refused rather than ignored; unknown fields are ignored, as
clients send many.
"""

import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedTokenizerFast

from modeling.data.chat import ROLES, encode_prompt, encode_text
from modeling.errors import BadInput
from modeling.sampling.beam import BeamSettings
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.processors import spellings

MAX_N = 128
MAX_PROMPTS = 512
MAX_ROWS = 2_048
"""Answers of one request: more would keep one client's rows before everybody else's for many seconds."""
MAX_MESSAGES = 256
_UNSUPPORTED = ("tools", "functions", "response_format", "logit_bias", "suffix", "echo", "presence_penalty",
                "frequency_penalty", "top_logprobs", "guided_json", "guided_regex")  # fmt: skip
_OF_SAMPLING = {"temperature": 0, "top_p": 1, "top_k": 0, "min_p": 0, "repetition_penalty": 1, "bad_words": [],
                "stop": [], "best_of": None, "stream": False}  # fmt: skip
"""What beam search leaves no room for, with the value at which it asks for nothing."""


@dataclasses.dataclass(frozen=True)
class GenerationRequest:
    """One checked request: `n` answers to each prompt, the likeliest of `best_of`, or of a search with n beams."""

    model: str
    prompts: list[tuple[int, ...]]
    n: int
    best_of: int
    seed: int
    settings: DecodingSettings
    beams: BeamSettings | None
    logprobs: bool
    stream: bool
    include_usage: bool
    is_chat: bool

    @property
    def n_choices(self) -> int:
        return len(self.prompts) * self.n


class RequestReader:
    """Reads requests for one base."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, context_length: int) -> None:
        self.tokenizer = tokenizer
        self.context_length = context_length

    def chat(self, body: Mapping[str, Any]) -> GenerationRequest:
        """Read the body of /v1/chat/completions. Raises: BadInput."""
        prompt = tuple(encode_prompt(self.tokenizer, _messages(body)))
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        return self._request(
            body, [prompt], limit, logprobs=_typed(body, "logprobs", bool, default=False), is_chat=True
        )

    def completion(self, body: Mapping[str, Any]) -> GenerationRequest:
        """Read the body of /v1/completions: one prompt or a list, as text or tokens. Raises: BadInput."""
        prompt = body.get("prompt")
        one = isinstance(prompt, str) or (isinstance(prompt, list) and bool(prompt) and isinstance(prompt[0], int))
        prompts = [prompt] if one else prompt
        if not isinstance(prompts, list) or not 1 <= len(prompts) <= MAX_PROMPTS:
            raise BadInput(f"prompt: expected a text, a list of tokens, or a list of 1 to {MAX_PROMPTS} of them.")
        logprobs = body.get("logprobs") not in (None, False)
        limit = body.get("max_tokens", 16)  # OpenAI's default
        return self._request(body, [self._tokens(item) for item in prompts], limit, logprobs=logprobs, is_chat=False)

    def _tokens(self, prompt: Any) -> tuple[int, ...]:
        if isinstance(prompt, str):
            start = [] if self.tokenizer.bos_token_id is None else [int(self.tokenizer.bos_token_id)]
            return (*start, *encode_text(self.tokenizer, prompt))
        tokens = prompt if isinstance(prompt, list) else []
        if not tokens or not all(type(token) is int and 0 <= token < len(self.tokenizer) for token in tokens):
            raise BadInput(f"prompt: tokens must be whole numbers from 0 to {len(self.tokenizer) - 1}.")
        return tuple(tokens)

    def _request(
        self, body: Mapping[str, Any], prompts: list[tuple[int, ...]], limit: Any, *, logprobs: bool, is_chat: bool
    ) -> GenerationRequest:
        for name in _UNSUPPORTED:
            if body.get(name):
                raise BadInput(f"{name}: is not supported by this server.")
        n = _typed(body, "n", int, default=1)
        best_of = _typed(body, "best_of", int, default=n)
        if not 1 <= n <= MAX_N or not n <= best_of <= MAX_N or best_of * len(prompts) > MAX_ROWS:
            raise BadInput(f"n: must be from 1 to best_of, that at most {MAX_N}, and {MAX_ROWS} answers in all.")
        if best_of > n and body.get("stream"):
            raise BadInput("best_of: which answers are best is known when all are written; leave stream out.")
        for prompt in prompts:
            if len(prompt) >= self.context_length:
                raise BadInput(
                    f"The prompt has {len(prompt)} tokens, "
                    f"and the context of {self.context_length} leaves no room to answer."
                )
        options = body.get("stream_options") or {}
        seed = _typed(body, "seed", int, default=None)
        settings = self._settings(body, limit, logprobs=logprobs or best_of > n)
        return GenerationRequest(
            model=_typed(body, "model", str),
            prompts=prompts,
            n=n,
            best_of=best_of,
            seed=secrets.randbits(63) if seed is None else seed,
            settings=settings,
            beams=_beams(body, settings, n, len(prompts)),
            logprobs=logprobs,
            stream=_typed(body, "stream", bool, default=False),
            include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
            is_chat=is_chat,
        )

    def _settings(self, body: Mapping[str, Any], limit: Any, *, logprobs: bool) -> DecodingSettings:
        if limit is not None and type(limit) is not int:
            raise BadInput(f"max_tokens: expected a whole number, not {limit!r}.")
        settings = DecodingSettings(
            max_new_tokens=self.context_length if limit is None else min(limit, self.context_length),
            temperature=_number(body, "temperature", 1.0),
            top_p=_number(body, "top_p", 1.0),
            top_k=max(0, _typed(body, "top_k", int, default=0)),  # -1 is "all" elsewhere
            min_p=_number(body, "min_p", 0.0),
            repetition_penalty=_number(body, "repetition_penalty", 1.0),
            bad_words=spellings(_texts(body, "bad_words"), self.tokenizer),
            stop=_texts(body, "stop"),
            logprobs=logprobs,
        )
        settings.validate()
        return settings


def _beams(body: Mapping[str, Any], settings: DecodingSettings, n: int, n_prompts: int) -> BeamSettings | None:
    """As vLLM has it: a search with n beams, which are the n answers."""
    if not _typed(body, "use_beam_search", bool, default=False):
        if body.get("length_penalty") is not None:
            raise BadInput("length_penalty: is for beam search; add use_beam_search.")
        return None
    for name, nothing in _OF_SAMPLING.items():
        if body.get(name) not in (None, nothing):
            raise BadInput(f"{name}: cannot be combined with use_beam_search, which draws nothing.")
    if n_prompts > 1:
        raise BadInput("use_beam_search: takes one prompt at a time.")
    beams = BeamSettings(
        max_new_tokens=settings.max_new_tokens, num_beams=n, length_penalty=_number(body, "length_penalty", 1.0),
        logprobs=settings.logprobs,
    )  # fmt: skip
    beams.validate()
    return beams


def _texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Read a text or a list of texts."""
    value = body.get(name) or []
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(item, str) for item in texts):
        raise BadInput(f"{name}: expected a text or a list of texts.")
    return tuple(texts)


def _messages(body: Mapping[str, Any]) -> list[dict[str, str]]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MAX_MESSAGES:
        raise BadInput(f"messages: expected a list of 1 to {MAX_MESSAGES} messages.")
    return [_message(message, f"messages[{i}]") for i, message in enumerate(messages)]


def _message(message: Any, where: str) -> dict[str, str]:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise BadInput(f"{where}: expected an object with a role of {', '.join(ROLES)}.")
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        content = "".join(str(part.get("text", "")) for part in content)
    if not isinstance(content, str):
        raise BadInput(f"{where}.content: expected a text.")
    return {"role": message["role"], "content": content}


_MISSING: Any = object()


def _typed(body: Mapping[str, Any], name: str, kind: type, default: Any = _MISSING) -> Any:
    value = body.get(name)
    if value is None and default is not _MISSING:
        return default
    if type(value) is not kind:
        raise BadInput(f"{name}: expected {kind.__name__}, not {value!r}." if name in body else f"{name}: is missing.")
    return value


def _number(body: Mapping[str, Any], name: str, default: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if type(value) not in (int, float):
        raise BadInput(f"{name}: expected a number, not {value!r}.")
    return float(value)
