"""Real processes, really killed: whatever happens, the resumed run ends in the bytes of an undisturbed one."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from modeling.spec import ExitCode, RunResult
from tests.modeling.conftest import TEXTS

pytestmark = pytest.mark.slow


def start(*args):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "modeling", *map(str, args)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def finish(*args):
    process = start(*args)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == ExitCode.OK, errors


def wait_for_checkpoint(run_path, process):
    """Return once the run has gone some steps beyond its first complete checkpoint."""
    for _ in range(1200):
        if list(run_path.glob("checkpoints/step-*/COMPLETE")):
            time.sleep(0.3)
            return
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    pytest.fail("no checkpoint within a minute")


def artifact_hashes(run_path):
    return {name: artifact.files for name, artifact in RunResult.read(run_path).artifacts.items()}


@pytest.fixture
def commands(tiny_base, write_jsonl):
    asks = [{"role": "user", "content": TEXTS[1]}, {"role": "assistant", "content": TEXTS[3]}]
    texts = write_jsonl([{"text": text} for text in TEXTS * 50], "texts.jsonl").path
    dialogues = write_jsonl([{"messages": asks}] * 4000, "dialogues.jsonl").path
    return {
        "pretrain": [
            "--texts", texts, "--tokenizer", tiny_base, "--hidden-size", 16, "--n-layers", 2, "--n-heads", 2,
            "--context-length", 32, "--batch-size", 4, "--n-tokens", 32 * 4 * 1000, "--checkpoint-every-s", 0.5,
        ],
        "sft": [
            "--base", tiny_base, "--dialogues", dialogues, "--max-length", 128, "--batch-size", 8,
            "--checkpoint-every-s", 1,
        ],
    }  # fmt: skip


@pytest.mark.parametrize("stage", ["pretrain", "sft"])
def test_a_killed_run_resumes_in_a_new_process_and_ends_in_the_same_bytes(tmp_path, commands, stage):
    flags = commands[stage]
    finish(stage, "--run-dir", tmp_path / "whole", *flags)
    process = start(stage, "--run-dir", tmp_path / "1", *flags)
    wait_for_checkpoint(tmp_path / "1", process)
    process.kill()
    process.communicate()
    assert not (tmp_path / "1" / "result.json").exists()
    finish(stage, "--run-dir", tmp_path / "2", "--resume-from", tmp_path / "1", *flags)
    events = [json.loads(line) for line in (tmp_path / "2" / "events.jsonl").read_text().splitlines()]
    assert any(event.get("text", "").startswith("Going on from") for event in events)
    assert artifact_hashes(tmp_path / "2") == artifact_hashes(tmp_path / "whole")


@pytest.mark.parametrize("stage", ["pretrain", "sft"])
def test_sigterm_leaves_a_checkpoint_within_seconds_and_says_so(tmp_path, commands, stage):
    flags = commands[stage]
    process = start(stage, "--run-dir", tmp_path, *flags)
    wait_for_checkpoint(tmp_path, process)
    before = {folder.name for folder in (tmp_path / "checkpoints").glob("step-*")}
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert time.monotonic() - asked < 10
    assert process.returncode == ExitCode.STOPPED
    assert {folder.name for folder in (tmp_path / "checkpoints").glob("step-*")} - before
    last = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[-1])
    assert (last["type"], last["text"].split(" at ")[0]) == ("error", "Stopped")
