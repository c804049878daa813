"""Real workers, a real broker, real kills: what becomes of a run, and of the processes that it left."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings as house_settings
from django.db import connection

from alignment.domain.states import RunState
from alignment.models import Run
from alignment.runs.reaper import runs_requeue_lost, runs_resend
from config.environment import broker_socket
from config.supervisor.broker import valkey_command, wait_for_broker
from feedback.dispatch import dispatch
from tests.alignment.conftest import FAKE
from tests.alignment.factories import RunFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LOOK_S = 0.5
"""Between two looks of the reaper here: more than two heartbeats of the workers."""


@pytest.fixture(scope="module")
def valkey(tmp_path_factory) -> Iterator[None]:
    socket = broker_socket(house_settings.HOME)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = subprocess.Popen(valkey_command(socket_path=socket, data_dir=tmp_path_factory.mktemp("valkey")))
    wait_for_broker(socket, is_running=lambda: server.poll() is None)
    yield
    server.terminate()
    server.wait()


@pytest.fixture
def worker(house: Path, valkey: None) -> Iterator[Callable[[], subprocess.Popen]]:
    """Start train workers as the supervisor does."""
    started = []

    def start() -> subprocess.Popen:
        environment = os.environ | {
            "PLUMBLINE_HOME": str(house),
            "SECRET_KEY": secrets.token_hex(32),
            "DJANGO_SETTINGS_MODULE": "tests.alignment.worker_settings",
            "BROKER_URL": house_settings.CELERY_BROKER_URL,
            "TEST_DATABASE": str(connection.settings_dict["NAME"]),
            "FAKE_MODELING": str(FAKE),
        }
        command = ["-m", "celery", "-A", "config", "--quiet", "worker", "-Q", "train", "--pool", "solo"]
        name = f"w{len(started)}@test"
        started.append(subprocess.Popen([sys.executable, *command, "-n", name], env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def queued(**changes) -> Run:
    run = RunFactory(**changes)
    dispatch("alignment.run_execute", run_id=run.pk)
    return run


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen in {timeout_s} s"
        time.sleep(0.05)


def is_at(run: Run, *, step: int) -> bool:
    run.refresh_from_db()
    return run.progress_done >= step


def is_in(run: Run, state: RunState) -> bool:
    run.refresh_from_db()
    return run.state == state


def reap_until_queued(run: Run) -> None:
    def look() -> bool:
        runs_requeue_lost()
        time.sleep(LOOK_S)
        return not is_in(run, RunState.RUNNING)

    wait_until(look, "the reaper's verdict")


def stages_of(house: Path) -> list[int]:
    """Return the pids of fake stages that work in this test's home."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(FAKE) in (process.info["cmdline"] or []) and any(str(house) in part for part in process.info["cmdline"])
    ]


def test_a_killed_workers_run_goes_on_from_its_checkpoint_and_no_process_is_left(worker, behave, house):
    behave(reward={"seconds": 4})
    run = queued()
    first = worker()
    wait_until(lambda: is_at(run, step=30), "the first attempt's progress")
    assert len(stages_of(house)) == 1
    first.kill()
    wait_until(lambda: not stages_of(house), "the end of the orphan", 5)
    reap_until_queued(run)
    worker()
    wait_until(lambda: is_in(run, RunState.SUCCEEDED), "the second attempt's end")
    assert run.attempt == 2
    assert run.metrics["first_step"] >= 30
    assert run.run_dir == f"{run.pk}/2"


def test_a_paused_and_replaced_worker_cannot_overwrite_its_successors_result(worker, behave, house):
    behave(reward={"seconds": 3})
    run = queued()
    paused = worker()
    wait_until(lambda: is_at(run, step=20), "the first attempt's progress")
    os.kill(paused.pid, signal.SIGSTOP)
    reap_until_queued(run)
    worker()
    wait_until(lambda: is_in(run, RunState.SUCCEEDED), "the successor's end")
    finished_at, result = run.finished_at, run.result
    wait_until((house / "runs" / str(run.pk) / "1" / "result.json").exists, "the first attempt's own result")
    os.kill(paused.pid, signal.SIGCONT)
    second = queued(stage="judge")
    behave()
    wait_until(lambda: is_in(second, RunState.SUCCEEDED), "that the workers take other runs")
    time.sleep(1)
    run.refresh_from_db()
    assert (run.attempt, run.run_dir, run.finished_at, run.result) == (2, f"{run.pk}/2", finished_at, result)
    assert stages_of(house) == []


def test_a_worker_that_is_asked_to_end_checkpoints_and_requeues_within_ten_seconds(worker, behave, house):
    behave(reward={"seconds": 4})
    run = queued()
    first = worker()
    wait_until(lambda: is_at(run, step=20), "progress")
    began = time.monotonic()
    first.terminate()
    first.wait(20)
    assert time.monotonic() - began < 10
    assert is_in(run, RunState.QUEUED)
    assert run.crashes == 0
    assert stages_of(house) == []
    worker()
    wait_until(lambda: is_in(run, RunState.SUCCEEDED), "the end on another worker")
    assert run.metrics["first_step"] >= 20


def test_a_lost_message_is_sent_again(worker, behave, settings):
    settings.RUN_RESEND_S = 0.0
    run = RunFactory()
    worker()
    runs_resend()
    wait_until(lambda: is_in(run, RunState.SUCCEEDED), "the run")
