"""The API as a program sees it: one method a call, no knowledge of what lies behind."""

import time
from typing import Any

import httpx

_TRIES = 4
"""A web process that is being replaced refuses connections for about a second; waits are 0.2, 0.4 and 0.8 s."""


class Refused(Exception):  # noqa: N818 - what the API did
    """The API answered with an error; the message is its own."""


class Client:
    """Calls `/api/v1/` with one key. Not shared between threads."""

    def __init__(self, address: str, token: str) -> None:
        headers = {"Authorization": f"Token {token}"}
        self._http = httpx.Client(base_url=f"{address}/api/v1/", headers=headers, timeout=60)

    def claim(self, project: int) -> dict[str, Any] | None:
        """Return the next assignment, or None when nothing is left."""
        answer = self._send("POST", f"projects/{project}/claim/")
        return None if answer.status_code == httpx.codes.NO_CONTENT else answer.json()

    def judge(self, assignment: int, ranks: dict[str, int], client_key: str) -> dict[str, Any]:
        """Submit a ranking; the same key twice stores it once, so that a try may be repeated."""
        body = {"ranks": ranks, "client_key": client_key}
        return self._json("POST", f"assignments/{assignment}/judgment/", body)

    def rounds(self, project: int) -> list[dict[str, Any]]:
        """Return the project's rounds."""
        found = self._send("GET", f"projects/{project}/rounds/").json()
        return list(found)

    def round(self, project: int, number: int) -> dict[str, Any]:
        """Return one round with its runs and its evaluation."""
        return self._json("GET", f"projects/{project}/rounds/{number}/")

    def launch(self, project: int, recipe: dict[str, Any]) -> dict[str, Any]:
        """Launch the round that is being labelled."""
        return self._json("POST", f"projects/{project}/rounds/", recipe)

    def deploy(self, project: int, number: int, reason: str) -> dict[str, Any]:
        """Deploy a round's policy; a closed gate wants a reason."""
        return self._json("POST", f"projects/{project}/rounds/{number}/deploy/", {"reason": reason})

    def close(self) -> None:
        self._http.close()

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self._send(method, path, body).json()
        return found

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        for attempt in range(1, _TRIES + 1):
            try:
                answer = self._http.request(method, path, json=body)
            except httpx.TransportError:
                if attempt == _TRIES:
                    raise
                time.sleep(0.1 * 2**attempt)
            else:
                return _checked(answer)
        raise AssertionError("the last try returns or raises")


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        message = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = answer.text[:500]
    raise Refused(f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {message}")
