import contextlib
import io
import os
import selectors
import sys
import time
from pathlib import Path

import pytest

from config.supervisor.child import LONGEST_BACKOFF_S, Child, Plan
from config.supervisor.logs import LogStream


@pytest.fixture
def run():
    started = []

    def start(code):
        plan = Plan(name="one", command=[sys.executable, "-c", code], environment=os.environ, stop_stage=1, grace_s=5)
        child = Child(plan)
        child.start()
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.process.wait()
        child.process.stdout.close()


def lines_of(child):
    selector = selectors.DefaultSelector()
    selector.register(child.output(), selectors.EVENT_READ)
    found, ended, deadline = [], False, time.monotonic() + 10
    while not ended and time.monotonic() < deadline:
        selector.select(1)
        lines, ended = child.read_lines()
        found += lines
    return found


def test_lines_arrive_whole_also_the_last_one_without_an_end(run):
    child = run(
        "import sys, time; sys.stdout.write('a'); sys.stdout.flush(); time.sleep(.2); print('b'); print('last', end='')"
    )
    assert lines_of(child) == ["ab", "last"]


def test_each_child_has_a_session_of_its_own_so_that_ctrl_c_reaches_only_the_supervisor(run):
    child = run("import os; print(os.getsid(0) == os.getpid())")
    assert lines_of(child) == ["True"]


def test_crashing_again_and_again_waits_longer_each_time(run):
    child = run("raise SystemExit(3)")
    child.process.wait()

    waits = [child.note_end() for _ in range(8)]

    assert waits == [1, 2, 4, 8, 16, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S, LONGEST_BACKOFF_S]


def test_a_kill_takes_what_the_child_started_along(run):
    child = run("import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()")
    selector = selectors.DefaultSelector()
    selector.register(child.output(), selectors.EVENT_READ)
    while not (lines := child.read_lines()[0]):
        selector.select(10)

    child.kill()
    child.process.wait()

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _runs(int(lines[0])):
        time.sleep(0.05)
    assert not _runs(int(lines[0]))


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_each_line_carries_the_name_of_its_process():
    out = io.StringIO()
    LogStream(out).line("web", "ready")
    assert out.getvalue().endswith(" web      | ready\n")


def test_a_vanished_reader_does_not_stop_the_supervisor():
    read_end, write_end = os.pipe()
    os.close(read_end)
    out = os.fdopen(write_end, "w")
    logs = LogStream(out)

    logs.plain("nobody reads this")
    logs.plain("nor this")

    with contextlib.suppress(BrokenPipeError):
        out.close()
