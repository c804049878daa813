"""The one thread that owns the model: takes rows from all clients and samples those together that can run together.

A row waits until it is the oldest; then the waiting rows with its adapter, its decoding settings and about its prompt
length join it, up to one full batch. So no request waits behind more than one batch of younger rows, and many small
requests cost what one large one costs. Between batches the thread loads and unloads adapters. Without work it sleeps.

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

from modeling.errors import BadInput
from modeling.model.adapter_switching import adapter_active
from modeling.sampling.decoding import Completion, DecodingSettings
from modeling.sampling.grouping import MAX_ROWS, fit_together
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

    @property
    def kind(self) -> tuple[str | None, DecodingSettings]:
        """Rows of one kind can run in one batch, if their prompts are of similar length."""
        return self.adapter, self.settings

    def fits(self, other: "Row") -> bool:
        """Whether both can run in one batch."""
        shorter, longer = sorted((len(self.prompt), len(other.prompt)))
        return self.kind == other.kind and fit_together(shorter, longer)


class Engine:
    """Queue and thread. Every public method may be called from any thread."""

    def __init__(self, sampler: Sampler, adapters: LoadedAdapters, *, n_threads: int = 0) -> None:
        self.sampler = sampler
        self.adapters = adapters
        self._n_threads = n_threads
        self._rows: collections.deque[Row] = collections.deque()
        self._calls: collections.deque[tuple[Callable[[], Any], concurrent.futures.Future[Any]]] = collections.deque()
        self._n_waiting_requests = 0
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, rows: Sequence[Row]) -> None:
        """Queue the rows of one request; each row's `answer` is set later. Raises: Overloaded, Closing."""
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
        """Run a function on the engine's thread, between two batches."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        with self._changed:
            if self._closing:
                raise Closing("The server is shutting down.")
            self._calls.append((function, future))
            self._changed.notify()
        return future

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
        """Take the oldest row and those that fit it best."""
        if len(self._rows) < MAX_ROWS:
            time.sleep(GATHER_S)
        with self._changed:
            waiting = [row for row in self._rows if not row.answer.cancelled()]
            oldest = waiting[0] if waiting else None
            fitting = [row for row in waiting if oldest and row.fits(oldest)]
            if len(fitting) > MAX_ROWS and oldest:
                length = len(oldest.prompt)
                fitting = sorted(fitting, key=lambda row: abs(len(row.prompt) - length))[:MAX_ROWS]
            taken = set(fitting)
            self._rows = collections.deque(row for row in waiting if row not in taken)
        return [row for row in fitting if row.answer.set_running_or_notify_cancel()]

    def _sample(self, batch: list[Row]) -> None:
        if not batch:
            return
        try:
            with adapter_active(self.adapters.model, self.adapters.slot(batch[0].adapter)):
                completions = self.sampler.sample(
                    [row.prompt for row in batch], batch[0].settings, [row.seed for row in batch],
                    on_token=_forward_tokens(batch),
                )  # fmt: skip
        except BadInput as error:
            for row in batch:
                _fail(row, error)
        except Exception as error:  # the boundary of the thread: clients are told, the server lives on
            log.exception("a batch of %d rows failed", len(batch))
            for row in batch:
                _fail(row, error)
        else:
            for row, completion in zip(batch, completions, strict=True):
                row.answer.set_result(completion)


def _forward_tokens(batch: list[Row]) -> Callable[[int, int], None] | None:
    if not any(row.on_token for row in batch):
        return None

    def forward(index: int, token: int) -> None:
        on_token = batch[index].on_token
        if on_token:
            on_token(token)

    return forward


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
