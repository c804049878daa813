"""Real processes, killed with SIGKILL in the middle, go on from their checkpoint to the same bytes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modeling.model.adapters import new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.reward import reward_model_new, reward_model_save
from modeling.spec import LoraSpec
from modeling.spec.result import RESULT
from tests.modeling.conftest import fill, read_events
from tests.modeling.pairs import preference_rows, verdict_rows
from tests.modeling.stopping import folder_bytes

pytestmark = pytest.mark.slow
DEADLINE_S = 120  # a crowded machine takes half a minute to import torch


LORA = LoraSpec(rank=2, alpha=4)
ARTIFACTS = {
    "reward": "reward", "dpo": "adapter", "kto": "adapter", "rft": "adapter", "rloo": "adapter", "grpo": "adapter",
    "ppo": "adapter", "evaluate": "",
}  # fmt: skip


@pytest.fixture
def commands(tiny_base, write_jsonl, tmp_path, cpu):
    sha256 = base_sha256(tiny_base)
    for seed, name in enumerate(("reward", "judge")):
        reward = reward_model_new(load_base(tiny_base, cpu), LORA, cpu, seed=seed)
        fill(reward.model, seed)
        reward_model_save(reward, tmp_path / name, base_sha256=sha256)
    policy = new_adapter(load_base(tiny_base, cpu), LORA, seed=2)
    fill(policy, 2)
    save_adapter(policy, tmp_path / "policy", base_sha256=sha256)
    asked = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(60)]
    prompts = write_jsonl(asked, "prompts.jsonl").path
    preferences = [
        "--preferences", write_jsonl(preference_rows(16)).path, "--batch-pairs", 1, "--epochs", 6, "--lora.rank", 2,
        "--lora.alpha", 4, "--learning-rate", 0.01,
    ]  # fmt: skip
    online = [
        "--reward", tmp_path / "reward", "--prompts", prompts, "--lora.rank", 2, "--n-steps", 40,
        "--prompts-per-step", 4, "--max-new-tokens", 16,
    ]  # fmt: skip
    return {
        "reward": preferences,
        "dpo": preferences,
        "kto": [
            "--verdicts", write_jsonl(verdict_rows(16), "verdicts.jsonl").path, "--batch-size", 2, "--epochs", 6,
            "--lora.rank", 2, "--learning-rate", 0.01,
        ],
        "rft": [
            "--reward", tmp_path / "reward", "--prompts", prompts, "--lora.rank", 2, "--prompts-per-step", 4,
            "--max-new-tokens", 16, "--batch-size", 1,
        ],
        "rloo": online,
        "grpo": [*online, "--inner-epochs", 2],
        "ppo": [
            "--reward", tmp_path / "reward", "--prompts", prompts, "--lora.rank", 2, "--n-steps", 30,
            "--prompts-per-step", 4, "--max-new-tokens", 16, "--kl-target-nats", 1,
        ],
        "evaluate": [
            "--policy", tmp_path / "policy", "--reward", tmp_path / "reward", "--judge", tmp_path / "judge",
            "--prompts", prompts, "--max-new-tokens", 100,
        ],
    }  # fmt: skip


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


@pytest.mark.parametrize("stage", ARTIFACTS)
def test_a_killed_run_ends_in_the_bytes_of_one_that_was_not(stage, commands, tiny_base, tmp_path):
    flags = ["--base", str(tiny_base), "--checkpoint-every-s", "0.2", *map(str, commands[stage])]
    assert start(stage, tmp_path / "whole", flags).wait(DEADLINE_S) == 0
    first = start(stage, tmp_path / "first", flags)
    wait_for_checkpoint(tmp_path / "first", first)
    first.kill()
    first.wait()
    assert not (tmp_path / "first" / RESULT).exists()
    second = start(stage, tmp_path / "second", [*flags, "--resume-from", str(tmp_path / "first")])
    assert second.wait(DEADLINE_S) == 0
    said = [event.get("text", "") for event in read_events(tmp_path / "second")]
    assert any(text.startswith("Going on from") and "step-00000000" not in text for text in said)
    ours, theirs = (folder_bytes(tmp_path / name / "artifacts" / ARTIFACTS[stage]) for name in ("second", "whole"))
    assert ours == theirs
