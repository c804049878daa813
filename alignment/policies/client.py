"""The client of a policy endpoint: OpenAI's chat completions, and the adapter calls under vLLM's names.

Knows HTTP; knows no database and no model version. One client may be used by many threads.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from alignment.domain.errors import EndpointDown, EndpointRefused, PromptRefused

_CONNECT_TIMEOUT_S = 5.0
"""An endpoint that is up answers at once; a unix socket without a listener refuses at once."""
_READ_TIMEOUT_S = 600.0
"""A long answer of a large model on a CPU, behind a full batch, takes minutes."""
_ERROR_TEXT_LENGTH = 500
_CHAT = "/v1/chat/completions"


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where a base is served: a unix socket, or a URL."""

    url: str
    key: str
    socket: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """One sampled answer."""

    text: str
    finish_reason: str
    """`stop` when the policy ended it, `length` when it was cut."""


class PolicyClient:
    """Talks to one endpoint over kept connections."""

    def __init__(self, endpoint: Endpoint, *, max_connections: int = 8) -> None:
        limits = httpx.Limits(max_connections=max_connections, max_keepalive_connections=max_connections)
        # No redirects and no proxies from the environment: the endpoint is where the operator said and nowhere else.
        self._socket = endpoint.socket
        self._http = httpx.Client(
            transport=httpx.HTTPTransport(uds=endpoint.socket or None, limits=limits),
            base_url=endpoint.url,
            headers={"Authorization": f"Bearer {endpoint.key}"},
            timeout=httpx.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
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

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        if self._socket and not Path(self._socket).exists():
            raise EndpointDown("The policy server is not up yet.")  # asked first: httpcore leaks a socket when refused
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise EndpointDown(f"The policy server does not answer ({type(error).__name__}).") from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or response.status_code in _BUSY:
            raise EndpointDown(f"The policy server cannot answer now: {_reason(response)}")
        if not response.is_success:
            is_about_prompt = path == _CHAT and response.status_code == httpx.codes.BAD_REQUEST
            refused = PromptRefused if is_about_prompt else EndpointRefused
            raise refused(f"The policy server refused {path}: {_reason(response)}")
        return response


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
