"""One process that is kept alive: started in a session of its own, restarted with patience, ended with grace."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from config.environment import BASE_DIR

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 30.0
STEADY_S = 60.0
"""After this long a crash counts as the first again."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run and when to end it: lower `stop_stage` ends first, all of one stage at the same time."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_stage: int
    grace_s: float


class Child:
    """A running process of a plan. All methods are called from the supervisor's one thread."""

    def __init__(self, plan: Plan, *, keep_open: Sequence[int] = ()) -> None:
        self.plan = plan
        self.process: subprocess.Popen[bytes] | None = None
        self.restart_at: float | None = None
        self._keep_open = tuple(keep_open)
        self._backoff_s = FIRST_BACKOFF_S
        self._started_at = 0.0
        self._partial = b""

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the process; its output is read through `output`."""
        self.restart_at = None
        self._started_at = time.monotonic()
        self._partial = b""
        self.process = subprocess.Popen(
            self.plan.command,
            cwd=BASE_DIR,
            env=dict(self.plan.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=self._keep_open,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - the supervisor has one thread
        )
        os.set_blocking(self.output(), False)

    def output(self) -> int:
        """Return the descriptor of the process's output."""
        assert self.process is not None
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def read_lines(self) -> tuple[list[str], bool]:
        """Return the complete lines that have arrived, and whether the output has ended."""
        try:
            data = os.read(self.output(), 65_536)
        except BlockingIOError:
            return [], False
        *lines, self._partial = (self._partial + data).split(b"\n")
        if not data and self._partial:
            lines, self._partial = [*lines, self._partial], b""
        return [line.decode(errors="replace").rstrip() for line in lines if line.strip()], not data

    def close_output(self) -> None:
        """Let go of the output, for instance before the next start."""
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()

    def note_end(self) -> float:
        """Plan the next start after an unexpected end and return the wait in seconds."""
        if time.monotonic() - self._started_at > STEADY_S:
            self._backoff_s = FIRST_BACKOFF_S
        wait_s, self._backoff_s = self._backoff_s, min(2 * self._backoff_s, LONGEST_BACKOFF_S)
        self.restart_at = time.monotonic() + wait_s
        return wait_s

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process itself: it ends its own children in its own order."""
        if self.is_running and self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        """Kill the process and what is left of its session's first group."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return


def end_with_parent() -> None:
    """Between fork and exec: have the kernel send SIGTERM when the supervisor is gone, however it went."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
