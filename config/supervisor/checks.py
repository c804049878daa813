"""What must be right before anything starts. Each failure is one sentence that says what to do."""

import fcntl
import os
import shutil
import socket
import sys
import time
from pathlib import Path

from config.environment import make_private_dir

OLDEST_PYTHON = (3, 11)
FREE_BYTES = 1_000_000_000
"""A demo with its models and a few rounds stays below half of this; SQLite must never meet a full disk."""
_HANDOVER_S = 30.0
"""Processes of a supervisor that was killed end within 20 s: the longest grace that any of them has."""


class CannotStart(Exception):  # noqa: N818 - reads as the sentence it is
    """The machine is not ready; the message is shown as it is."""


def check_python() -> None:
    """Raises: CannotStart on an old interpreter."""
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        raise CannotStart(f"Plumbline needs Python {needed} or newer, and this is {sys.version.split()[0]}.")


def check_home(home: Path) -> None:
    """Make the home. Raises: CannotStart when it cannot be written or the disk is nearly full."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".write-probe"
        probe.write_bytes(b"plumbline")
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"{home} cannot be written ({error.strerror}). Set PLUMBLINE_HOME to a folder of yours."
        ) from error
    free = shutil.disk_usage(home).free
    if free < FREE_BYTES:
        raise CannotStart(
            f"The disk under {home} is nearly full: {free // 1_000_000} MB are free and "
            f"{FREE_BYTES // 1_000_000} MB are needed. Free some space or set PLUMBLINE_HOME to another disk.",
        )


def check_port(host: str, port: int) -> None:
    """Raises: CannotStart when the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise CannotStart(f"Port {port} needs root. Choose one above 1023: make run PORT=8000.") from error
        except OSError as error:
            raise CannotStart(
                f"Port {port} on {host} is taken ({error.strerror}). Choose another: make run PORT={port + 1}.",
            ) from error


def lock_home(home: Path) -> int:
    """Take the one lock on a home and return its descriptor.

    Long-lived children inherit the descriptor, so that a supervisor which was killed is followed only once the last of
    its processes has ended. Raises: CannotStart when another supervisor runs here.
    """
    path = make_private_dir(home / "run") / "supervisor.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _HANDOVER_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = int(os.pread(descriptor, 20, 0) or b"0")
            if _alive(owner) or time.monotonic() > deadline:
                os.close(descriptor)
                raise CannotStart(
                    f"Plumbline already runs in {home} (process {owner}). "
                    "Stop it with Ctrl-C, or set PLUMBLINE_HOME to another folder.",
                ) from None
            time.sleep(0.2)
        else:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor


def _alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()
