"""The client of a policy endpoint: OpenAI's chat completions, whole or in pieces, and adapter calls under vLLM's names.

Knows HTTP; knows no database and no model version. One client may be used by many threads.
"""

import contextlib
import dataclasses
import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from django.utils.translation import gettext_noop

from alignment.domain.errors import EndpointDown, EndpointRefused, PromptRefused
from alignment.policies.addresses import CheckedTransport

_CONNECT_TIMEOUT_S = 5.0
"""An endpoint that is up answers at once; a unix socket without a listener refuses at once."""
_READ_TIMEOUT_S = 600.0
"""A long answer of a large model on a CPU, behind a full batch, takes minutes."""
_ERROR_TEXT_LENGTH = 500
_MAX_LINE_BYTES = 1_000_000
"""Of one event of a stream; a token's takes some hundred bytes."""
_CHAT = "/v1/chat/completions"


class Reach(enum.Enum):
    """Which addresses an endpoint may have."""

    ANY = "any"
    """Where the operator put the project's own server, a unix socket included."""
    PUBLIC = "public"
    """A foreign endpoint: public addresses, checked after the name was resolved."""
    PRIVATE = "private"
    """A foreign endpoint on the operator's own network."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where a base is served: a unix socket, or a URL."""

    url: str
    key: str
    socket: str = ""
    reach: Reach = Reach.ANY


@dataclasses.dataclass(frozen=True)
class Answer:
    """One sampled answer."""

    text: str
    finish_reason: str
    """`stop` when the policy ended it, `length` when it was cut."""


class PolicyClient:
    """Talks to one endpoint over kept connections."""

    def __init__(
        self, endpoint: Endpoint, *, max_connections: int = 8, read_timeout_s: float = _READ_TIMEOUT_S
    ) -> None:
        limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
        # No redirects and no proxies from the environment: the endpoint is where the operator said and nowhere else.
        self._socket = endpoint.socket
        self._http = httpx.Client(
            transport=_transport(endpoint, limits),
            base_url=endpoint.url,
            headers={"Authorization": f"Bearer {endpoint.key}"},
            timeout=httpx.Timeout(read_timeout_s, connect=_CONNECT_TIMEOUT_S),
            follow_redirects=False,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def models(self) -> list[str]:
        """Return the names that can be asked: the base's and those of its loaded adapters."""
        return [str(item["id"]) for item in self._call("GET", "/v1/models").json()["data"]]

    def adapter_load(self, *, name: str, path: str) -> None:
        """Load an adapter folder that the server can read under a name."""
        self._call("POST", "/v1/load_lora_adapter", {"lora_name": name, "lora_path": path})

    def adapter_unload(self, *, name: str) -> None:
        """Let an adapter go."""
        self._call("POST", "/v1/unload_lora_adapter", {"lora_name": name})

    def chat(
        self, *, model: str, messages: Sequence[Mapping[str, str]], seed: int, max_new_tokens: int, temperature: float
    ) -> Answer:
        """Sample one answer from the whole distribution: no top-p, no top-k."""
        body = {
            "model": model, "messages": list(messages), "seed": seed, "max_tokens": max_new_tokens,
            "temperature": temperature, "top_p": 1.0, "n": 1,
        }  # fmt: skip
        choice = self._call("POST", _CHAT, body).json()["choices"][0]
        return Answer(choice["message"]["content"] or "", choice["finish_reason"])

    def chat_stream(
        self, *, model: str, messages: Sequence[Mapping[str, str]], seed: int, max_new_tokens: int, temperature: float
    ) -> Iterator[tuple[str, str]]:
        """Sample one answer and yield its text as it comes, with the reason of its end beside the last piece.

        Raises: EndpointDown also when the stream breaks off, EndpointRefused, PromptRefused.
        """
        body = {
            "model": model, "messages": list(messages), "seed": seed, "max_tokens": max_new_tokens,
            "temperature": temperature, "top_p": 1.0, "n": 1, "stream": True,
        }  # fmt: skip
        with self._asking(), self._http.stream("POST", _CHAT, json=body) as response:
            if not response.is_success:
                response.read()
                _check(response, _CHAT)
            for event in _events(response):
                for choice in event.get("choices") or []:
                    reason = choice.get("finish_reason") or ""
                    yield (choice.get("delta") or {}).get("content") or "", reason
                    if reason:
                        return
        raise EndpointDown("The policy server ended in the middle of an answer.")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        with self._asking():
            response = self._http.request(method, path, json=body)
        _check(response, path)
        return response

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        if self._socket and not Path(self._socket).exists():
            # Asked first: httpcore leaks a socket when refused.
            raise EndpointDown(gettext_noop("The policy server is not up yet."))
        try:
            yield
        except httpx.TransportError as error:
            raise EndpointDown(f"The policy server does not answer ({type(error).__name__}).") from error


def _transport(endpoint: Endpoint, limits: httpx.Limits) -> httpx.BaseTransport:
    if endpoint.reach == Reach.ANY:
        return httpx.HTTPTransport(uds=endpoint.socket or None, limits=limits)
    return CheckedTransport(may_be_private=endpoint.reach == Reach.PRIVATE, limits=limits)


def _check(response: httpx.Response, path: str) -> None:
    """Raises: EndpointDown, EndpointRefused, PromptRefused."""
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or response.status_code in _BUSY:
        raise EndpointDown(f"The policy server cannot answer now: {_reason(response)}")
    if not response.is_success:
        is_about_prompt = path == _CHAT and response.status_code == httpx.codes.BAD_REQUEST
        refused = PromptRefused if is_about_prompt else EndpointRefused
        raise refused(f"The policy server refused {path}: {_reason(response)}")


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """Yield the JSON events of a stream. Raises: EndpointDown for what is none."""
    for line in _lines(response):
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return
        if not line.startswith(b"data:") or not data:
            continue  # comments that keep the connection alive, and the empty lines between events
        try:
            event = json.loads(data)
        except ValueError as error:
            raise EndpointDown("The policy server sent something that is no event.") from error
        if not isinstance(event, dict) or "error" in event:
            raise EndpointDown(f"The policy server failed in the middle of an answer: {data[:_ERROR_TEXT_LENGTH]!r}")
        yield event


def _lines(response: httpx.Response) -> Iterator[bytes]:
    # By line feeds alone: httpx also splits at U+2028 and its kin, which may stand inside an event.
    waiting = b""
    for part in response.iter_bytes():
        *lines, waiting = (waiting + part).split(b"\n")
        if len(waiting) > _MAX_LINE_BYTES:
            raise EndpointDown("The policy server sent an event without an end.")
        yield from lines


_BUSY = {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT}


def _reason(response: httpx.Response) -> str:
    try:
        error = response.json()
    except ValueError:
        error = response.text
    if isinstance(error, dict):
        error = error.get("error", error)
    if isinstance(error, dict):
        error = error.get("message", error)
    return f"{response.status_code} {str(error)[:_ERROR_TEXT_LENGTH]}"
