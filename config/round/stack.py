"""A whole Plumbline in a temporary home: started by its own supervisor, ended and removed when we are done."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from config.environment import BASE_DIR, socket_dir
from config.supervisor.child import end_with_parent

_UP_S = 300.0
"""Migrating and compressing static files takes 5 s on two idle cores; under heavy load it took more than 90 s."""
_DOWN_S = 60.0
"""The sum of what the supervisor grants its processes, and some."""
_OWN = (
    "DATABASE_URL",
    "BROKER_URL",
    "CACHE_URL",
    "SECRET_KEY",
    "PUBLIC_URL",
    "ALLOWED_HOSTS",
    "POLICY_URL",
    "POLICY_KEY",
    "DEBUG",
)
"""Of the site that may run on this machine: a temporary one must not touch its services."""


class StackFailed(Exception):  # noqa: N818 - reads as what happened
    """The site did not start or a command of it failed; the message holds the last lines of its log."""


class Stack:
    """A running site: its address, its home, and its management commands."""

    def __init__(self, home: Path, log: Path, *, database: str) -> None:
        self.home = home
        self.log = log
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {name: value for name, value in os.environ.items() if name not in _OWN}
        self.environment |= {"PLUMBLINE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings"}
        if database:
            self.environment["DATABASE_URL"] = database
        command = [
            sys.executable,
            "-m",
            "config.supervisor",
            "--no-demo",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=BASE_DIR, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=end_with_parent,  # noqa: PLW1509 - no other thread runs yet
            )  # fmt: skip

    def wait_until_up(self) -> None:
        """Return once the site answers. Raises: StackFailed."""
        deadline = time.monotonic() + _UP_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise StackFailed(f"The site did not start:\n{self.last_lines()}")
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.address}/healthz", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)
        raise StackFailed(f"The site did not answer within {_UP_S:.0f} s:\n{self.last_lines()}")

    def manage(self, *arguments: str) -> str:
        """Run a management command in the site and return what it printed. Raises: StackFailed."""
        return self.run_python("manage.py", *arguments)

    def run_python(self, *arguments: str) -> str:
        """Run a Python program in the site's environment and return what it printed. Raises: StackFailed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment, cwd=BASE_DIR, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StackFailed(f"{' '.join(arguments[:2])} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def stop(self) -> None:
        """End the site in order; by force only when it does not."""
        self.process.terminate()
        try:
            self.process.wait(_DOWN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_lines(self, n: int = 25) -> str:
        """Return the end of the site's log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-n:])


@contextlib.contextmanager
def temporary_stack(out: Path, *, database: str) -> Iterator[Stack]:
    """Start a site in a temporary home, keep its log in `out`, and leave neither a process nor the home behind."""
    out.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="plumbline-round-"))
    stack = Stack(home, out / "site.log", database=database)
    try:
        yield stack
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave the site behind
        stack.stop()
        for folder in (home, socket_dir(home)):
            shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
