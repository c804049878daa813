"""Asking an endpoint for many answers at once, so that it can batch them; knows no database but the versions' names."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

import structlog

from alignment.domain.errors import PromptRefused
from alignment.models import ModelVersion
from alignment.policies.client import Answer, PolicyClient
from alignment.policies.endpoints import endpoint_of
from alignment.policies.reconcile import policy_ready, served_model
from alignment.selectors.deployment import version_base

log = structlog.get_logger(__name__)

CONCURRENCY = 64
"""Requests under way at once: an embedded server fills its batches from them, and a thread that waits costs little."""

TEMPERATURE = 1.0
"""Answers are drawn from the policy as it is: what people rank is what training assumes."""

Messages = Sequence[Mapping[str, str]]
Request = tuple[int, Messages, int]

_WAIT_S = 2.0
"""Between two calls of `on_wait`: the heartbeat of whoever samples."""


class Sampler:
    """Keeps the connections to the endpoints of a few versions while a batch is sampled."""

    def __init__(self, versions: Mapping[int, ModelVersion], *, max_new_tokens: int) -> None:
        """Take versions by any key and make sure that each is loaded. Raises: EndpointDown, EndpointRefused."""
        self._versions = versions
        self._max_new_tokens = max_new_tokens
        for version in versions.values():
            policy_ready(version)
        bases = {version_base(version).pk: version_base(version) for version in versions.values()}
        self._clients = {pk: PolicyClient(endpoint_of(base), max_connections=CONCURRENCY) for pk, base in bases.items()}
        self._pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="sample")

    def sample(self, requests: Sequence[Request], on_wait: Callable[[], object]) -> list[Answer | None]:
        """Answer (version key, messages, seed) requests, in their order; `on_wait` is called every few seconds.

        A prompt that the endpoint cannot answer, for it is too long, gets None.

        Raises: EndpointDown, EndpointRefused.
        """
        futures = [self._pool.submit(self._one, request) for request in requests]
        unfinished: set[Future[Answer | None]] = set(futures)
        try:
            while unfinished:
                done, unfinished = wait(unfinished, timeout=_WAIT_S, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                on_wait()
        finally:
            for future in unfinished:
                future.cancel()
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the threads, then the connections."""
        self._pool.shutdown(cancel_futures=True)
        for client in self._clients.values():
            client.close()

    def _one(self, request: Request) -> Answer | None:
        key, messages, seed = request
        version = self._versions[key]
        try:
            return self._clients[version_base(version).pk].chat(
                model=served_model(version), messages=messages, seed=seed, max_new_tokens=self._max_new_tokens,
                temperature=TEMPERATURE,
            )  # fmt: skip
        except PromptRefused as error:
            log.warning("prompt_refused", version=version.name, error=str(error), note="it makes no task")
            return None
