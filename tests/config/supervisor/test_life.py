"""The real supervisor with its real processes: it serves, mends, and leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from config.environment import BASE_DIR
from tests.private_postgres import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Stack:
    def __init__(self, home, port):
        self.home, self.port = home, port
        environment = {key: value for key, value in os.environ.items() if key not in ("SECRET_KEY", "DATABASE_URL")}
        environment |= {"PLUMBLINE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "INFO"}
        self.log = home.parent / f"{home.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.supervisor", "--no-demo", "--port", str(port)],
                env=environment,
                cwd=BASE_DIR,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_up(self):
        started = time.monotonic()
        while time.monotonic() - started < 250:
            assert self.process.poll() is None, self.log.read_text()
            if self.answers() and "Plumbline is at" in self.log.read_text():
                return time.monotonic() - started
            time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def ours(self):
        """Every process that runs in this home."""
        wanted = f"PLUMBLINE_HOME={self.home}".encode()
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    wanted in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
                    and process.status() != "zombie"
                ):
                    found.append(process)
        return found

    def child(self, *words):
        return next(p for p in self.ours() if all(word in " ".join(p.cmdline()) for word in words))

    def wait_until_gone(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while self.ours() and time.monotonic() < deadline:
            time.sleep(0.2)
        return [" ".join(process.cmdline()) for process in self.ours()]


@pytest.fixture
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def start(home):
    stacks = []

    def begin(port=None):
        stacks.append(Stack(home, port or free_port()))
        return stacks[-1]

    yield begin
    for stack in stacks:
        if stack.process.poll() is None:
            stack.process.terminate()
            stack.process.wait(60)
        for process in stack.ours():
            process.kill()


def test_it_serves_mends_what_crashes_and_leaves_nothing_behind(start, home):
    stack = start()
    stack.wait_until_up()
    for name in ("secret-key", "policy-key"):
        assert (home / "secrets" / name).stat().st_mode & 0o777 == 0o600

    killed = stack.child("worker", "default")
    killed.kill()
    deadline = time.monotonic() + 20
    while (
        time.monotonic() < deadline and "worker   | ended with status -9; starting again" not in stack.log.read_text()
    ):
        time.sleep(0.2)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not [
        p for p in stack.ours() if "default" in p.cmdline() and p.pid != killed.pid
    ]:
        time.sleep(0.2)
    assert [p for p in stack.ours() if "default" in p.cmdline() and p.pid != killed.pid]

    second = start()
    assert second.process.wait(30) == 1
    assert f"already runs in {home}" in stack.log.read_text()
    assert stack.answers()

    os.kill(stack.process.pid, signal.SIGINT)
    assert stack.process.wait(40) == 0
    assert stack.wait_until_gone(1) == []


def test_after_a_hard_kill_nothing_runs_on_and_the_next_start_is_quick(start):
    stack = start()
    first_s = stack.wait_until_up()

    stack.process.kill()
    stack.process.wait()
    assert stack.wait_until_gone(30) == []

    again = start(stack.port)
    assert again.wait_until_up() < max(20, first_s)  # seconds on an idle machine; a busy one is slow twice
