"""A request's answers as server-sent events, piece by piece as tokens come.

Text is held back while it may still change: a character whose bytes are not all there, or the beginning of a stop text.
"""

import asyncio
import concurrent.futures
import functools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from transformers import PreTrainedTokenizerFast

from modeling.sampling.decoding import Completion
from modeling.serving.engine import Row
from modeling.serving.errors import error_status
from modeling.serving.responses import ResponseWriter

Event = tuple[int, int | Completion | Exception]
"""Index of a choice, and its next token, its end or its failure."""


class Stream:
    """Listens to the rows of one request on the event loop."""

    def __init__(self, writer: ResponseWriter, tokenizer: PreTrainedTokenizerFast) -> None:
        self.writer = writer
        self.tokenizer = tokenizer
        stops = writer.request.settings.stop
        self._held_back = max((len(stop) for stop in stops), default=1) - 1
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._rows: list[Row] = []
        self._loop = asyncio.get_running_loop()

    def token_listener(self, index: int) -> Callable[[int], None]:
        """Return what the engine's thread calls with each token of a choice."""
        return lambda token: self._put(index, token)

    def listen(self, rows: list[Row]) -> None:
        """Follow the rows to their ends."""
        self._rows = rows
        for index, row in enumerate(rows):
            row.answer.add_done_callback(functools.partial(self._put_end, index))

    async def events(self) -> AsyncIterator[bytes]:
        """Yield the events of all choices, and [DONE]. A client that leaves takes its waiting rows along."""
        try:
            async for event in self._events_of_choices():
                yield event
        finally:
            for row in self._rows:
                row.answer.cancel()

    async def _events_of_choices(self) -> AsyncIterator[bytes]:
        n_choices = self.writer.request.n_choices
        tokens: list[list[int]] = [[] for _ in range(n_choices)]
        sent = [0] * n_choices
        completions: dict[int, Completion] = {}
        for index in range(n_choices):
            yield _event(self.writer.piece(index, "", is_first=True))
        while len(completions) < n_choices:
            index, what = await self._events.get()
            if isinstance(what, Exception):
                yield _event(error_status(what)[1])
                return
            if isinstance(what, Completion):
                completions[index] = what
                yield _event(self.writer.piece(index, what.text[sent[index] :], finish_reason=what.finish_reason))
                continue
            tokens[index].append(what)
            text = self.tokenizer.decode(tokens[index], skip_special_tokens=True)
            ready = len(text) - self._held_back
            if ready > sent[index] and not text.endswith("\N{REPLACEMENT CHARACTER}"):
                yield _event(self.writer.piece(index, text[sent[index] : ready]))
                sent[index] = ready
        if self.writer.request.include_usage:
            yield _event(self.writer.usage_piece([completions[index] for index in range(n_choices)]))
        yield b"data: [DONE]\n\n"

    def _put_end(self, index: int, answer: "concurrent.futures.Future[Completion]") -> None:
        if not answer.cancelled():
            self._put(index, answer.exception() or answer.result())

    def _put(self, index: int, what: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._events.put_nowait, (index, what))


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
