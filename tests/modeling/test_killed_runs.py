"""Real processes, killed with SIGKILL in the middle of training, go on from their checkpoint to the same bytes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modeling.spec.result import RESULT
from tests.modeling.stopping import folder_bytes
from tests.modeling.test_reward import preference_rows

pytestmark = pytest.mark.slow
DEADLINE_S = 120  # a crowded machine takes half a minute to import torch


@pytest.fixture
def flags(tiny_base, write_jsonl):
    rows = write_jsonl(preference_rows(16))
    return [
        "--base", str(tiny_base), "--preferences", rows.path, "--batch-pairs", "1", "--epochs", "6", "--lora.rank", "2",
        "--learning-rate", "0.01", "--checkpoint-every-s", "0.2",
    ]  # fmt: skip


def start(stage: str, run_dir: Path, flags: list[str]) -> subprocess.Popen:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "modeling", stage, "--run-dir", str(run_dir), *flags], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for_checkpoint(run_dir: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not list(run_dir.glob("checkpoints/step-*[0-9]/COMPLETE")):
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.02)


@pytest.mark.parametrize(("stage", "artifact"), [("reward", "reward"), ("dpo", "adapter")])
def test_a_killed_run_ends_in_the_bytes_of_one_that_was_not(stage, artifact, flags, tmp_path):
    assert start(stage, tmp_path / "whole", flags).wait(DEADLINE_S) == 0
    first = start(stage, tmp_path / "first", flags)
    wait_for_checkpoint(tmp_path / "first", first)
    first.kill()
    first.wait()
    assert not (tmp_path / "first" / RESULT).exists()
    second = start(stage, tmp_path / "second", [*flags, "--resume-from", str(tmp_path / "first")])
    assert second.wait(DEADLINE_S) == 0
    assert "Going on from" in (tmp_path / "second" / "events.jsonl").read_text(encoding="utf-8")
    ours, theirs = (folder_bytes(tmp_path / name / "artifacts" / artifact) for name in ("second", "whole"))
    assert ours == theirs
