"""A run from claim to outcome, with a real child process that is the fake stage."""

import json
import math
import os
import threading
import time

import psutil
import pytest
from django.db import connection

from alignment.domain.states import RunState
from alignment.models import Run
from alignment.runs import stopping
from alignment.runs.launcher import child_environment
from alignment.services.run import MAX_CRASHES, run_execute
from feedback.models import Transition
from tests.alignment.factories import RunFactory

pytestmark = pytest.mark.django_db(transaction=True)


def execute(run: Run) -> Run:
    run_execute(run_id=run.pk)
    run.refresh_from_db()
    return run


def in_background(run: Run) -> threading.Thread:
    def work() -> None:
        run_execute(run_id=run.pk)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for(condition, timeout_s: float = 10) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def is_underway(run: Run) -> bool:
    run.refresh_from_db()
    return run.progress_done > 5


def test_a_run_that_ends_well_stores_its_result_and_wakes_its_round(broker, house):
    run = execute(RunFactory())
    assert run.state == RunState.SUCCEEDED
    assert run.lease_id is None
    assert run.metrics["reward_accuracy"] == 0.7
    assert run.run_dir == f"{run.pk}/1"
    assert set(run.result["artifacts"]["reward"]["files"]) == {"adapter_config.json", "adapter_model.safetensors"}
    assert run.progress_done == run.progress_total > 0
    assert run.heartbeat > 1
    assert broker.messages == [("alignment.round_advance", {"round_id": run.round_id})]
    folder = house / "runs" / run.run_dir
    assert json.loads((folder / "spec.json").read_text()) == run.spec
    assert "reward, attempt 1" in (folder / "run.log").read_text()
    states = Transition.objects.filter(object_type="alignment.run", object_id=run.pk).values_list("to_state", flat=True)
    assert list(states) == ["running", "succeeded"]


def test_a_second_message_finds_the_run_taken(broker):
    run = execute(RunFactory())
    assert execute(run).attempt == 1


@pytest.mark.parametrize("code", [2, 3])
def test_bad_input_and_refusal_fail_at_once_with_the_stages_own_words(broker, behave, code):
    behave(reward={"exit": code, "message": "held-out loss 0.71 is not below ln 2"})
    run = execute(RunFactory())
    assert (run.state, run.error, run.attempt) == (RunState.FAILED, "held-out loss 0.71 is not below ln 2", 1)


def test_a_crash_is_tried_again_from_the_last_checkpoint(broker, behave):
    behave(reward={"seconds": 0.5, "crash_attempts": [1]})
    run = execute(RunFactory())
    assert (run.state, run.crashes) == (RunState.QUEUED, 1)
    assert broker.names() == ["alignment.run_execute"]
    run = execute(run)
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 2)
    assert run.metrics["first_step"] == 20


def test_the_third_crash_fails_the_run_with_the_end_of_its_log(broker, behave):
    behave(reward={"crash_attempts": [1, 2, 3]})
    run = RunFactory()
    for _ in range(MAX_CRASHES):
        execute(run)
    assert run.state == RunState.FAILED
    assert "exit code 1" in run.error
    assert "Traceback: boom" in run.error


def test_a_result_whose_hashes_lie_does_not_count(broker, behave):
    behave(reward={"spoil": True})
    run = execute(RunFactory())
    assert run.state == RunState.QUEUED
    assert "differs from what the run hashed" in run.error


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_figure_that_is_no_number_fails_the_run_and_says_which(broker, behave, number):
    behave(reward={"metrics": {"reward_accuracy": number, "folds": [{"loss": number}]}})
    run = execute(RunFactory())
    assert (run.state, run.lease_id, run.metrics, run.result) == (RunState.FAILED, None, {}, {})
    assert "not finite are metrics.folds[0].loss, metrics.reward_accuracy." in run.error
    assert broker.messages == [("alignment.round_advance", {"round_id": run.round_id})]


def test_a_stage_that_cannot_be_started_is_a_crash_with_its_reason(broker, settings):
    settings.MODELING_COMMAND = ["/nowhere/python"]
    run = execute(RunFactory())
    assert (run.state, run.crashes) == (RunState.QUEUED, 1)
    assert "/nowhere/python" in run.error


def test_a_cancelled_run_stops_with_a_checkpoint(broker, behave, house):
    behave(reward={"seconds": 30})
    run = RunFactory()
    thread = in_background(run)
    wait_for(lambda: is_underway(run))
    Run.objects.filter(pk=run.pk).update(stop_requested=True)
    thread.join(5)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED
    assert list((house / "runs" / str(run.pk) / "1" / "checkpoints").glob("step-*/COMPLETE"))


def test_a_stage_that_does_not_listen_is_killed_after_the_grace(broker, behave):
    behave(reward={"seconds": 30, "deaf": True})
    run = RunFactory()
    thread = in_background(run)
    wait_for(lambda: is_underway(run))
    Run.objects.filter(pk=run.pk).update(stop_requested=True)
    thread.join(5)
    run.refresh_from_db()
    assert run.state == RunState.CANCELLED


def test_a_worker_on_its_way_out_gives_the_run_back_and_it_goes_on_elsewhere(broker, behave, monkeypatch):
    behave(reward={"seconds": 1.0})
    run = RunFactory()
    thread = in_background(run)
    wait_for(lambda: is_underway(run))
    stopping.worker_stop()
    thread.join(5)
    run.refresh_from_db()
    assert (run.state, run.crashes) == (RunState.QUEUED, 0)
    assert execute(run).attempt == 1, "a stopping worker takes no run"
    monkeypatch.setattr(stopping._Worker, "is_stopping", False)
    run = execute(run)
    assert (run.state, run.attempt) == (RunState.SUCCEEDED, 2)
    assert run.metrics["first_step"] > 5


def test_a_lost_lease_kills_the_child_and_writes_nothing(broker, behave):
    behave(reward={"seconds": 30})
    run = RunFactory()
    thread = in_background(run)
    wait_for(lambda: is_underway(run))
    children = psutil.Process().children(recursive=True)
    Run.objects.filter(pk=run.pk).update(state=RunState.QUEUED, lease_id=None)
    thread.join(5)
    run.refresh_from_db()
    assert run.state == RunState.QUEUED
    assert children
    assert not [child for child in children if child.is_running()]
    assert broker.messages == []


def test_a_child_knows_no_secret_of_the_site(monkeypatch, settings):
    for name in ("SECRET_KEY", "DATABASE_URL", "BROKER_URL", "POLICY_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    settings.MODELING_THREADS = 2
    environment = child_environment()
    assert "secret" not in environment.values()
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["PLUMBLINE_PARENT_PID"] == str(os.getpid())
