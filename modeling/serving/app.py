"""The HTTP interface: OpenAI's completions and chat completions, and vLLM's calls that load and unload adapters.

Every call but /health needs the bearer key. Nothing here touches a tensor: rows go to the engine's thread.
"""

import asyncio
import dataclasses
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from transformers import PreTrainedTokenizerFast

from modeling.errors import BadInput
from modeling.sampling.best import mean_logprob
from modeling.sampling.decoding import Completion
from modeling.sampling.randomness import mix_seeds
from modeling.serving.adapters import LoadedAdapters
from modeling.serving.engine import Engine, Row
from modeling.serving.errors import TooLarge, Unauthorized, UnknownModel, error_status
from modeling.serving.requests import GenerationRequest, RequestReader
from modeling.serving.responses import ResponseWriter
from modeling.serving.streaming import Stream

log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]

MAX_BODY_BYTES = 4 * 2**20
"""512 prompts of 2,000 tokens; what is larger is not a request of ours."""


class PolicyServer:
    """Answers requests for one base and its adapters."""

    def __init__(self, engine: Engine, adapters: LoadedAdapters, tokenizer: PreTrainedTokenizerFast, key: str) -> None:
        self.engine = engine
        self.adapters = adapters
        self.tokenizer = tokenizer
        self.reader = RequestReader(tokenizer, engine.sampler.context_length)
        self._key = key.encode()
        self._started = int(time.time())

    def app(self) -> Starlette:
        """Return the ASGI application."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/v1/models", self.models),
            ("POST", "/v1/chat/completions", self.chat),
            ("POST", "/v1/completions", self.completion),
            ("POST", "/v1/load_lora_adapter", self.adapter_load),
            ("POST", "/v1/unload_lora_adapter", self.adapter_unload),
        ]
        guarded = [Route(path, self._guarded(handler), methods=[method]) for method, path, handler in routes]
        return Starlette(routes=[Route("/health", self.health, methods=["GET"]), *guarded])

    async def health(self, _request: Request) -> Response:
        """Say that the process answers, to anybody."""
        return JSONResponse({"status": "ok"})

    async def models(self, _request: Request) -> Response:
        """List the base and the loaded adapters, with what a reconciliation compares."""
        base = {
            "id": self.adapters.base_name, "object": "model", "created": self._started, "owned_by": "plumbline",
            "root": self.adapters.base_name, "parent": None, "sha256": self.adapters.base_sha256,
            "max_model_len": self.reader.context_length,
        }  # fmt: skip
        loaded = [
            {
                **base, "id": held.name, "created": held.loaded_at, "root": held.path, "sha256": held.sha256,
                "parent": self.adapters.base_name,
            }
            for held in self.adapters.all()
        ]  # fmt: skip
        return JSONResponse({"object": "list", "data": [base, *loaded]})

    async def chat(self, request: Request) -> Response:
        return await self._generate(self.reader.chat(await _body(request)))

    async def completion(self, request: Request) -> Response:
        return await self._generate(self.reader.completion(await _body(request)))

    async def adapter_load(self, request: Request) -> Response:
        body = await _body(request)
        name, path = _text(body, "lora_name"), _text(body, "lora_path")
        held = await asyncio.wrap_future(self.engine.call(lambda: self.adapters.load(name, path)))
        return JSONResponse({"id": held.name, "root": held.path, "sha256": held.sha256})

    async def adapter_unload(self, request: Request) -> Response:
        name = _text(await _body(request), "lora_name")
        await asyncio.wrap_future(self.engine.call(lambda: self.adapters.unload(name)))
        return JSONResponse({"id": name, "unloaded": True})

    async def _generate(self, request: GenerationRequest) -> Response:
        writer = ResponseWriter(request, self.tokenizer)
        if request.beams:
            search = self.engine.beam_search(request.prompts, request.beams, self._adapter(request))
            (answers,) = await asyncio.wrap_future(search)
            found = [answer.completion for answer in answers]
            return JSONResponse(writer.whole(found, n_written=writer.n_tokens(found)))
        rows = self._rows(request)
        if request.stream:
            stream = Stream(writer, self.tokenizer)
            for index, row in enumerate(rows):
                row.on_token = stream.token_listener(index)
            self.engine.submit(rows)
            stream.listen(rows)
            return StreamingResponse(stream.events(), media_type="text/event-stream")
        self.engine.submit(rows)
        try:
            completions = await asyncio.gather(*(asyncio.wrap_future(row.answer) for row in rows))
        finally:
            for row in rows:
                row.answer.cancel()  # no effect on what is done; what still waits for a client that left is dropped
        return JSONResponse(writer.whole(_best(request, completions), n_written=writer.n_tokens(completions)))

    def _adapter(self, request: GenerationRequest) -> str | None:
        names = {held.name for held in self.adapters.all()}
        if request.model != self.adapters.base_name and request.model not in names:
            raise UnknownModel(f"There is no model {request.model!r} here.")
        return None if request.model == self.adapters.base_name else request.model

    def _rows(self, request: GenerationRequest) -> list[Row]:
        adapter = self._adapter(request)
        prompts = [prompt for prompt in request.prompts for _ in range(request.best_of)]
        return [
            Row(prompt, mix_seeds(request.seed, index), request.settings, adapter)
            for index, prompt in enumerate(prompts)
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            try:
                self._authorize(request)
                return await handler(request)
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as error:  # the boundary: every failure gets OpenAI's shape
                status, body = error_status(error)
                if status == 500:
                    log.exception("%s %s failed", request.method, request.url.path)
                return JSONResponse(body, status_code=status)

        return guarded

    def _authorize(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._key):
            raise Unauthorized("Send the server's key: 'Authorization: Bearer KEY'.")


def _best(request: GenerationRequest, completions: Sequence[Completion]) -> list[Completion]:
    """Keep each prompt's n likeliest answers by token, as OpenAI's `best_of` does."""
    if request.best_of == request.n:
        return list(completions)
    best: list[Completion] = []
    for start in range(0, len(completions), request.best_of):
        own = sorted(completions[start : start + request.best_of], key=mean_logprob, reverse=True)[: request.n]
        best += own if request.logprobs else [dataclasses.replace(answer, logprobs=None) for answer in own]
    return best


async def _body(request: Request) -> dict[str, Any]:
    """Read a JSON object of bounded size. Raises: TooLarge, BadInput."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY_BYTES:
            raise TooLarge(f"A request may have {MAX_BODY_BYTES} bytes.")
    try:
        body = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"The body is not JSON ({error}).") from error
    if not isinstance(body, dict):
        raise BadInput("The body is not a JSON object.")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{name}: expected a text.")
    return value
