"""The one thread that owns the model: takes rows from all clients and samples those together that can run together.

A row waits until it is the oldest; then the waiting rows with its adapter, its decoding settings and about its prompt
length begin with it. While they run, the next rows in the queue join as places come free, as long as they are of the
same kind. The oldest row of another kind stops that: it begins when those that run have ended. So many small requests
cost what one large one costs, and nobody is overtaken for long. Between batches the thread loads and unloads adapters.
Without work it sleeps.

Knows nothing of HTTP and JSON.
"""

import collections
import concurrent.futures
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from modeling.model.adapter_switching import adapter_active
from modeling.sampling.beam import BeamSettings
from modeling.sampling.decoding import Completion, DecodingSettings, Scored
from modeling.sampling.draft import Draft
from modeling.sampling.grouping import fit_together, group_rows
from modeling.sampling.lane import Take
from modeling.sampling.sampler import Sampler
from modeling.serving.adapters import LoadedAdapters
from modeling.serving.errors import Closing, Overloaded

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_WAITING_REQUESTS = 512
"""Beyond this a client is told to come back: where a machine samples 10 answers a second, it would wait a minute."""
GATHER_S = 0.004
"""Long enough for the requests of one client's loop to arrive together, too short for a person to notice."""


@dataclasses.dataclass(eq=False)
class Row:
    """One answer to sample."""

    prompt: tuple[int, ...]
    seed: int
    settings: DecodingSettings
    adapter: str | None
    """Served name; None is the base."""
    on_token: Callable[[int], None] | None = None
    answer: "concurrent.futures.Future[Completion]" = dataclasses.field(default_factory=concurrent.futures.Future)

    def __post_init__(self) -> None:
        self.kind = self.adapter, dataclasses.replace(self.settings, max_new_tokens=1)
        """Rows of one kind can run in one batch, if their prompts are of similar length."""

    def fits(self, other: "Row") -> bool:
        """Whether both can begin together."""
        shorter, longer = sorted((len(self.prompt), len(other.prompt)))
        return self.kind == other.kind and fit_together(shorter, longer)


class Engine:
    """Queue and thread. Every public method may be called from any thread."""

    def __init__(self, sampler: Sampler, adapters: LoadedAdapters, *, n_threads: int = 0) -> None:
        self.sampler = sampler
        self.adapters = adapters
        self._n_threads = n_threads
        self._max_rows = sampler.max_rows(sampler.context_length)
        self._rows: collections.deque[Row] = collections.deque()
        self._calls: collections.deque[tuple[Callable[[], Any], concurrent.futures.Future[Any]]] = collections.deque()
        self._n_waiting_requests = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, rows: Sequence[Row]) -> None:
        """Queue the rows of one request; each row's `answer` is set later. Raises: BadInput, Overloaded, Closing."""
        self.sampler.check_prompts([row.prompt for row in rows])
        with self._changed:
            if self._closing:
                raise Closing("The server is shutting down.")
            if self._n_waiting_requests >= MAX_WAITING_REQUESTS:
                raise Overloaded(f"{MAX_WAITING_REQUESTS} requests are waiting; try again in a moment.")
            self._n_waiting_requests += 1
            self._rows.extend(rows)
            self._changed.notify()
        pending = collections.Counter({"rows": len(rows)})

        def on_done(_: object) -> None:
            with self._changed:
                pending["rows"] -= 1
                if pending["rows"] == 0:
                    self._n_waiting_requests -= 1

        for row in rows:
            row.answer.add_done_callback(on_done)

    def call(self, function: Callable[[], T]) -> "concurrent.futures.Future[T]":
        """Run a function on the engine's thread, between two batches. Raises: Overloaded, Closing."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._changed:
            if self._closing:
                raise Closing("The server is shutting down.")
            if len(self._calls) >= MAX_WAITING_REQUESTS:
                raise Overloaded(f"{MAX_WAITING_REQUESTS} requests are waiting; try again in a moment.")
            self._calls.append((function, future))
            self._changed.notify()
        return future

    def beam_search(
        self, prompts: Sequence[tuple[int, ...]], settings: BeamSettings, adapter: str | None
    ) -> "concurrent.futures.Future[list[list[Scored]]]":
        """Search by itself, between two batches. Raises: BadInput, Overloaded, Closing."""
        settings.validate()
        self.sampler.check_prompts(prompts)

        def search() -> list[list[Scored]]:
            with adapter_active(self.adapters.model, self.adapters.slot(adapter)):
                return self.sampler.beam_search(prompts, settings)

        return self.call(search)

    def close(self, timeout_s: float) -> None:
        """Finish the batch that runs, fail what waits, and end the thread."""
        with self._changed:
            self._closing = True
            rows, self._rows = list(self._rows), collections.deque()
            self._changed.notify()
        for row in rows:
            _fail(row, Closing("The server is shutting down."))
        self._thread.join(timeout_s)

    def _run(self) -> None:
        if self._n_threads:
            torch.set_num_threads(self._n_threads)
        while True:
            with self._changed:
                while not (self._rows or self._calls or self._closing):
                    self._changed.wait()
                if self._closing:
                    return
                calls, self._calls = list(self._calls), collections.deque()
            for function, future in calls:
                _settle(future, function)
            if self._rows:
                self._sample(self._next_batch())

    def _next_batch(self) -> list[Row]:
        """Take the oldest row and those that fit it best, as many as two cores keep running."""
        most = 2 * self._max_rows
        if len(self._rows) < most:
            time.sleep(GATHER_S)
        with self._changed:
            waiting = [row for row in self._rows if not row.answer.cancelled()]
            oldest = waiting[0] if waiting else None
            fitting = [row for row in waiting if oldest and row.fits(oldest)]
            if len(fitting) > most and oldest:
                length = len(oldest.prompt)
                fitting = sorted(fitting, key=lambda row: abs(len(row.prompt) - length))[:most]
            taken = set(fitting)
            self._rows = collections.deque(row for row in waiting if row not in taken)
        return [row for row in fitting if row.answer.set_running_or_notify_cancel()]

    def _sample(self, batch: list[Row]) -> None:
        if not batch:
            return
        begun = list(batch)
        may_pad = self.sampler.may_refill
        groups = group_rows([row.prompt for row in batch], self._max_rows, may_pad=may_pad)
        takes = [self._take([batch[i] for i in group], begun) for group in groups]
        try:
            with adapter_active(self.adapters.model, self.adapters.slot(batch[0].adapter)):
                self.sampler.run(takes, batch[0].settings, self._max_rows)
        except Exception as error:  # the boundary of the thread: clients are told, the server lives on
            log.exception("a batch of %d rows failed", len(begun))
            for row in begun:
                _fail(row, error)

    def _take(self, group: list[Row], begun: list[Row]) -> Take:
        """Return what gives a lane its first rows, and then those that may join them; `begun` collects all."""
        first, kind = [group], group[0].kind

        def take(n_free: int, width: int) -> list[Draft]:
            if not width:
                return [self._draft(row) for row in (first.pop() if first else [])]
            joining: list[Row] = []
            with self._changed:
                while len(joining) < n_free and self._next_may_join(kind, width):
                    joining.append(self._rows.popleft())
            joining = [row for row in joining if row.answer.set_running_or_notify_cancel()]
            begun.extend(joining)
            return [self._draft(row) for row in joining]

        return take

    def _next_may_join(self, kind: object, width: int) -> bool:
        if self._calls or self._closing or not self._rows or not self.sampler.may_refill:
            return False
        return self._rows[0].kind == kind and fit_together(width, len(self._rows[0].prompt))

    def _draft(self, row: Row) -> Draft:
        draft = self.sampler.draft(row.prompt, row.seed, row.settings, row.on_token)
        draft.on_end = lambda: row.answer.set_result(draft.completion(self.sampler.tokenizer, row.settings))
        return draft


def _fail(row: Row, error: Exception) -> None:
    if not row.answer.done():
        row.answer.set_exception(error)


def _settle(future: "concurrent.futures.Future[T]", function: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except Exception as error:  # noqa: BLE001 - handed to the caller who waits for the future
        future.set_exception(error)
