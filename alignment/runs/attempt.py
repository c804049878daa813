"""One attempt of a run: its folder, its process, and the watch over both until the process has ended."""

import dataclasses
import json
import time
from pathlib import Path

import structlog
from django.conf import settings
from django.db import OperationalError, close_old_connections

from alignment.models import Run
from alignment.runs.launcher import Child
from alignment.runs.lease import Lease, lease_beat
from alignment.runs.progress import Progress
from alignment.runs.stopping import worker_is_stopping
from alignment.selectors.rundir import attempt_folder
from modeling.spec.result import SPEC

log = structlog.get_logger(__name__)

_LOOK_S = 0.1
"""Between two looks at the child: the price of a stage's end being noticed late, against ten wake-ups a second."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How an attempt's process ended."""

    exit_code: int
    error: str
    """Its own last words, where it had any."""
    stop_requested: bool


def attempt_prepare(run: Run, lease: Lease) -> Path:
    """Make the attempt's folder with its specification. Raises: OSError."""
    folder = attempt_folder(run, lease.attempt)
    folder.mkdir(parents=True)
    (folder / SPEC).write_text(json.dumps(run.spec, indent=1), encoding="utf-8")
    return folder


def attempt_arguments(run: Run, lease: Lease, folder: Path) -> list[str]:
    """Return the command line of the attempt: it goes on from whatever checkpoint the earlier ones left."""
    earlier = [attempt_folder(run, number) for number in range(1, lease.attempt)]
    resume = [str(path) for path in earlier if path.is_dir()]
    return [run.stage, "--run-dir", str(folder), *(["--resume-from", *resume] if resume else [])]


def attempt_watch(child: Child, lease: Lease, folder: Path) -> Ending:
    """Beat the run's heart until the child has ended; pass on the wish to stop.

    Raises: LeaseLost, after the child's whole group was killed.
    """
    watch = _Watch(child, lease, Progress(folder))
    try:
        while not child.has_ended():
            watch.look()
            time.sleep(_LOOK_S)
        watch.beat()
    finally:
        exit_code = child.collect()
    return Ending(exit_code, watch.progress.error, watch.stop_requested)


class _Watch:
    def __init__(self, child: Child, lease: Lease, progress: Progress) -> None:
        self.progress = progress
        self.stop_requested = False
        self._child = child
        self._lease = lease
        self._next_beat_at = time.monotonic()
        self._kill_at: float | None = None

    def look(self) -> None:
        now = time.monotonic()
        if now >= self._next_beat_at:
            self._next_beat_at = now + settings.RUN_HEARTBEAT_S
            self.beat()
        if self._kill_at is None and (self.stop_requested or worker_is_stopping()):
            self._child.ask_to_stop()
            self._kill_at = now + settings.RUN_STOP_GRACE_S
        if self._kill_at is not None and now > self._kill_at:
            self._child.kill()

    def beat(self) -> None:
        fields = self.progress.read()
        try:
            self.stop_requested = lease_beat(self._lease, **fields) or self.stop_requested
        except OperationalError as error:
            # A database that is away for a moment cannot have given the lease to anybody else meanwhile; if it did
            # so since, the next beat finds out.
            log.warning("heartbeat_failed", run_id=self._lease.run_id, error=str(error))
            close_old_connections()
