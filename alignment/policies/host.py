"""The policy host: one `python -m modeling serve` process for each base that is needed, kept alive.

Runs as `manage.py policy_host` under the supervisor. Keeps no truth: which bases are needed it asks the database, which
adapters they hold is the reconciliation's work.
"""

import os
import secrets
import signal
import subprocess
import time
from pathlib import Path
from types import FrameType

import structlog
from django.conf import settings
from django.db import OperationalError, close_old_connections

from alignment.models import ModelVersion
from alignment.policies.endpoints import socket_path
from alignment.runs.launcher import child_environment
from alignment.selectors.deployment import served_wanted, version_path
from feedback.dispatch import dispatch

log = structlog.get_logger(__name__)

_LOOK_S = 0.5
_BACKOFF_S = (0.0, 1.0, 5.0, 15.0, 60.0)
"""Before the next start of a server that keeps dying: a missing file or a full machine is not cured by haste."""
_STOP_GRACE_S = 5.0
_IDLE_LOOKS = 120
"""Looks without need before a server ends: a reject and a new batch in between must not cost a restart."""


class Server:
    """The process of one base, and how often it had to be started again."""

    def __init__(self, base: ModelVersion) -> None:
        self.base = base
        self.idle_looks = 0
        self._starts = 0
        self._start_at = 0.0
        self._announced = False
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Start the process when there is none, and tell the world when its socket appears."""
        if self._process is not None and self._process.poll() is not None:
            log.warning("policy_server_died", base=self.base.name, exit_code=self._process.returncode)
            self._process = None
            self._start_at = time.monotonic() + _BACKOFF_S[min(self._starts, len(_BACKOFF_S)) - 1]
        if self._process is None and time.monotonic() >= self._start_at:
            self._start()
        if not self._announced and socket_path(self.base).exists():
            self._announced = True
            log.info("policy_server_up", base=self.base.name)
            dispatch("alignment.deployment_reconcile")

    def stop(self) -> None:
        """End the process, at first politely."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        socket_path(self.base).unlink(missing_ok=True)
        self._process = None

    def _start(self) -> None:
        path = socket_path(self.base)
        path.unlink(missing_ok=True)
        self._starts += 1
        self._announced = False
        arguments = [
            "serve", "--base", version_path(self.base), "--name", self.base.name, "--socket", str(path),
            "--key-file", str(settings.POLICY_KEY_FILE), "--adapter-root", str(settings.ARTIFACTS_ROOT),
            "--threads", str(settings.MODELING_THREADS),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [*settings.MODELING_COMMAND, *arguments], cwd=settings.BASE_DIR, env=child_environment(),
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        log.info("policy_server_started", base=self.base.name, pid=self._process.pid, start=self._starts)


class PolicyHost:
    """All servers of this machine."""

    def __init__(self) -> None:
        self._servers: dict[int, Server] = {}
        self._is_stopping = False

    def run(self) -> None:
        """Look after the servers until SIGTERM or SIGINT, then end them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        key_ensure(settings.POLICY_KEY_FILE)
        settings.POLICY_SOCKET_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            while not self._is_stopping:
                self._look_safely()
                time.sleep(_LOOK_S)
        finally:
            self.close()

    def close(self) -> None:
        """End all servers."""
        for server in self._servers.values():
            server.stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True

    def _look_safely(self) -> None:
        try:
            self.look()
        except OperationalError as error:
            log.warning(
                "policy_host_without_database", error=str(error), note="servers stay up; the next look tries again"
            )
            close_old_connections()

    def look(self) -> None:
        """Start what is needed, restart what died, end what nothing needs."""
        wanted = {served.base.pk: served.base for served in served_wanted()}
        for pk, base in wanted.items():
            self._servers.setdefault(pk, Server(base)).idle_looks = 0
        for pk, server in list(self._servers.items()):
            server.idle_looks += pk not in wanted
            if server.idle_looks > _IDLE_LOOKS:
                log.info("policy_server_idle", base=server.base.name)
                server.stop()
                del self._servers[pk]
            else:
                server.look()


def key_ensure(path: Path) -> None:
    """Make the servers' key, readable by us alone, unless there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
