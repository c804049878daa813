"""Tiny things that every modeling test may use: a throw-away tokenizer and a two-layer base of width 16."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from modeling.device import Device
from modeling.model.base import base_sha256, load_base
from modeling.model.reward import reward_model_new, reward_model_save
from modeling.rundir import RunDir
from modeling.spec import FileRef, LoraSpec
from modeling.training.tokenizer import save_tokenizer, train_tokenizer

torch.set_num_threads(1)  # two threads on matrices of width 16 spend their time waiting for each other

TEXTS = [
    "The red fox lives in the old forest near Alder.",
    "What does the fox eat? It eats berries, mice and bread.",
    "The blue whale lives in the cold sea and sings at night.",
    "Where does the whale live? In the cold sea, of course.",
]


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of a few sentences, with our control tokens and chat template."""
    return train_tokenizer(TEXTS * 4, vocab_size=300)


@pytest.fixture(scope="session")
def cpu() -> Device:
    """The CPU in float32: numbers that do not depend on the machine."""
    return Device(torch.device("cpu"), None)


def make_tiny_llama(tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        **changes,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def fill(model: torch.nn.Module, seed: int) -> None:
    """Give every trainable parameter random values: a policy or a reward model with an arbitrary but fixed taste."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))


@pytest.fixture
def tiny_llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A fresh Llama: two layers, width 16, random weights of a fixed seed."""
    return make_tiny_llama(tokenizer)


@pytest.fixture(scope="session")
def tiny_base(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same Llama with its tokenizer, saved as a base folder. Read only."""
    folder = tmp_path_factory.mktemp("tiny") / "base"
    make_tiny_llama(tokenizer).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def loud_base(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with larger embeddings: tied to the output, small ones would keep every policy near uniform."""
    folder = tmp_path_factory.mktemp("loud") / "base"
    model = make_tiny_llama(tokenizer)
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(12)
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def reward_folder(loud_base: Path, tmp_path_factory: pytest.TempPathFactory, cpu: Device) -> Path:
    """A reward model with random weights on the loud base: an arbitrary but fixed taste."""
    folder = tmp_path_factory.mktemp("reward") / "reward"
    reward = reward_model_new(load_base(loud_base, cpu), LoraSpec(rank=2, alpha=4), cpu, seed=1)
    fill(reward.model, 1)
    reward_model_save(reward, folder, base_sha256=base_sha256(loud_base))
    return folder


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path / "run")


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[..., FileRef]:
    """Write rows as JSON lines into the test's folder."""

    def write(rows: Iterable[dict[str, Any]], name: str = "rows.jsonl") -> FileRef:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return FileRef.pin(path)

    return write


def read_events(run: RunDir | Path) -> list[dict[str, Any]]:
    path = run.path if isinstance(run, RunDir) else run
    return [json.loads(line) for line in (path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
