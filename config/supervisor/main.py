"""The supervisor's life: check, prepare, start, watch, stop."""

import argparse
import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType

import psutil

from config.environment import (
    BASE_DIR,
    broker_socket,
    ensure_secret,
    home_dir,
    make_private_dir,
    secret_file,
    socket_dir,
)
from config.supervisor.broker import wait_for_broker
from config.supervisor.checks import CannotStart, check_home, check_port, check_python, lock_home
from config.supervisor.child import Child
from config.supervisor.logs import LogStream
from config.supervisor.plans import broker_plan, child_environment, plans

_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 0.25
_REAP_S = 5.0
"""Orphans are rare and cost nothing as zombies; looking for them reads all of /proc."""


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM. Returns the exit status."""
    options = _parse(arguments)
    home = home_dir()
    try:
        check_python()
        check_home(home)
        lock = lock_home(home)
        check_port(options.host, options.port)
    except (CannotStart, PermissionError) as error:
        sys.stderr.write(f"Cannot start: {error}\n")
        return 1
    return Supervisor(home, lock=lock, host=options.host, port=options.port, demo=options.demo).run()


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.supervisor", description=__doc__)
    parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or "8000"))
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="make no demo people and no demo project")
    return parser.parse_args(arguments)


class Supervisor:
    """Owns the children. It has one thread: starting processes is safe, and things happen in the order written here."""

    def __init__(self, home: Path, *, lock: int, host: str, port: int, demo: bool) -> None:
        self.home, self.host, self.port, self.demo = home, host, port, demo
        self.logs = LogStream()
        self.children: list[Child] = []
        self._lock = lock
        self._selector = selectors.DefaultSelector()
        self._stop_signals = 0
        self._preparing: subprocess.Popen[str] | None = None
        self._announced = False
        self._next_reap = 0.0

    def run(self) -> int:
        """Prepare, start everything, watch until asked to stop, stop everything."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        # What a killed worker leaves behind becomes our child, so that nothing can be left when we end.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        status = 0
        self.logs.line("start", f"everything is kept in {self.home}")
        try:
            self._start_all()
            while not self._stop_signals:
                self._look()
        except (CannotStart, PermissionError) as error:
            self.logs.plain(f"Cannot start: {error}")
            status = 1
        finally:
            self._stop_all()
        return status

    def _start_all(self) -> None:
        ensure_secret(secret_file(self.home, "secret-key"))
        make_private_dir(socket_dir(self.home))
        if not os.environ.get("BROKER_URL"):
            (self.home / "broker").mkdir(exist_ok=True)
            broker_socket(self.home).unlink(missing_ok=True)
            broker = Child(broker_plan(self.home), keep_open=[self._lock])
            self._start(broker)
            wait_for_broker(broker_socket(self.home), is_running=lambda: broker.is_running)
        self._prepare()
        for plan in plans(self.home, host=self.host, port=self.port):
            self._start(Child(plan, keep_open=[self._lock]))

    def _prepare(self) -> None:
        command = [sys.executable, str(BASE_DIR / "manage.py"), "prepare", *(["--demo"] if self.demo else [])]
        self._preparing = subprocess.Popen(
            command, cwd=BASE_DIR, env=child_environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert self._preparing.stdout is not None
        for line in self._preparing.stdout:
            self.logs.line("prepare", line.rstrip())
        if self._preparing.wait() and not self._stop_signals:
            raise CannotStart("preparing the database or the static files failed; the lines above say why.")

    def _start(self, child: Child) -> None:
        if self._stop_signals:
            return
        if child not in self.children:
            self.children.append(child)
        self._forget_output(child)
        child.start()
        self._selector.register(child.output(), selectors.EVENT_READ, child)

    def _look(self) -> None:
        self._pump(_LOOK_S)
        for child in self.children:
            if child.process is not None and child.restart_at is None and not child.is_running:
                child.kill()  # what it started in its group would hold its port, or work beside its successor
                wait_s = child.note_end()
                self.logs.line(
                    child.name, f"ended with status {child.process.returncode}; starting again in {wait_s:.0f} s"
                )
            elif child.restart_at is not None and time.monotonic() >= child.restart_at:
                self._start(child)
        if time.monotonic() > self._next_reap:
            self._next_reap = time.monotonic() + _REAP_S
            self._reap_strays()
        if not self._announced:
            self._announce_when_ready()

    def _pump(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            child: Child = key.data
            lines, ended = child.read_lines()
            for line in lines:
                self.logs.line(child.name, line)
            if ended:
                self._forget_output(child)

    def _forget_output(self, child: Child) -> None:
        for key in [key for key in self._selector.get_map().values() if key.data is child]:
            self._selector.unregister(key.fileobj)
        child.close_output()

    def _announce_when_ready(self) -> None:
        address = f"http://{'localhost' if self.host in ('127.0.0.1', '0.0.0.0') else self.host}:{self.port}/"  # noqa: S104 - compared, not bound
        try:
            with urllib.request.urlopen(f"{address}healthz", timeout=1) as answer:  # noqa: S310 - our own address
                answer.read()
        except (urllib.error.URLError, OSError):
            return
        self._announced = True
        self.logs.plain(f"\n  Plumbline is at {address}\n")
        logins = self.home / "demo-logins.txt"
        if self.demo and logins.is_file():
            for line in logins.read_text(encoding="utf-8").splitlines():
                self.logs.plain(f"  {line}")
            self.logs.plain(f"\n  (kept in {logins}; Ctrl-C stops everything)\n")

    def _reap_strays(self) -> None:
        """Collect the exit status of orphans that became ours; the children's own status is left to them."""
        ours = {child.process.pid for child in self.children if child.process is not None}
        for process in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
                if process.pid not in ours and process.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(process.pid, os.WNOHANG)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a handler's signature
        self._stop_signals += 1
        if self._preparing is not None and self._preparing.poll() is None:
            self._preparing.terminate()

    def _stop_all(self) -> None:
        self.logs.line("stop", "trainings first, the broker last (Ctrl-C again to kill at once)")
        for stage in sorted({child.plan.stop_stage for child in self.children}):
            self._stop_stage([child for child in self.children if child.plan.stop_stage == stage])
        strays = psutil.Process().children(recursive=True)
        for process in strays:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    self.logs.line("stop", f"killing {process.pid} ({' '.join(process.cmdline())[:80]})")
                    process.kill()
        psutil.wait_procs(strays, timeout=5)
        self.logs.line("stop", "everything has ended")

    def _stop_stage(self, children: list[Child]) -> None:
        started = time.monotonic()
        signals_before = self._stop_signals
        for child in children:
            child.ask_to_end()
        while running := [child for child in children if child.is_running]:
            self._pump(0.05)
            for child in running:
                impatient = self._stop_signals > max(signals_before, 1)
                if impatient or time.monotonic() - started > child.plan.grace_s:
                    self.logs.line(child.name, "did not end in time and is killed")
                    child.kill()
                    if child.process is not None:
                        child.process.wait()
        self._pump(0)
