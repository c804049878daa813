"""The loop, whole but small: real web server, workers, broker and policy server, on PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.environment import BASE_DIR
from config.round.report import FIGURES
from tests.private_postgres import private_postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_500)]

HERE = Path(__file__).parent
SMALL = ["--build", str(HERE / "build.json"), "--recipe", str(HERE / "recipe.json"), "--rankings", "60"]


def round_command(out, *arguments):
    return [
        sys.executable,
        "-m",
        "config.round",
        *SMALL,
        "--gold",
        "tests.loop.gold:brief",
        "--out",
        str(out),
        *arguments,
    ]


def environment(tmp_path):
    """The driver makes its temporary home under a folder of ours, so that we see what it leaves there."""
    (tmp_path / "temporary").mkdir()
    # On a busy build machine a nice training would wait for everybody else.
    return {**os.environ, "TMPDIR": str(tmp_path / "temporary"), "TRAIN_NICE": "0"}


def processes_in(folder):
    """Every process whose home lies under a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if f"PLUMBLINE_HOME={folder}".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" "))
        except OSError:
            continue
    return found


def test_rankings_become_a_policy_that_answers_the_next_round(tmp_path):
    out = tmp_path / "out"
    with private_postgres() as url:
        done = subprocess.run(
            round_command(out, "--database", url), env=environment(tmp_path), cwd=BASE_DIR,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

    result = json.loads(done.stdout.splitlines()[-1])
    (figures,) = result["rounds"]
    assert result["rankings"] == 60
    assert result["label_accuracy"] > 0.7
    assert result["reward_accuracy"] > 0.5
    assert figures["n_prompts"] == 60
    assert all(figures[name] is not None for name in FIGURES)
    assert {"corpus", "pretrain", "sft", "sampling", "labeling", "reward", "policy", "evaluate"} <= set(
        result["stages_s"]
    )

    again = subprocess.run(
        [sys.executable, "-m", "modeling.evaluation.recompute", str(out / "eval.jsonl"), "200"],
        cwd=BASE_DIR, capture_output=True, text=True, check=True,
    )  # fmt: skip
    recomputed = json.loads(again.stdout)
    for name in FIGURES:
        assert recomputed[name] == pytest.approx(figures[name], abs=1e-4), name

    assert list((tmp_path / "temporary").glob("plumbline-round-*")) == []
    assert processes_in(tmp_path) == []


def test_an_interrupt_ends_every_process_and_removes_the_home(tmp_path):
    driver = subprocess.Popen(
        round_command(tmp_path / "out"), env=environment(tmp_path), cwd=BASE_DIR,
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert any("corpus" in line for line in driver.stdout)
        assert processes_in(tmp_path) != []
        time.sleep(1)
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=90)
    finally:
        driver.kill()

    assert driver.returncode == 130
    assert list((tmp_path / "temporary").glob("plumbline-round-*")) == []
    assert processes_in(tmp_path) == []
