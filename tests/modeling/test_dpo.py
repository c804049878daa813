import dataclasses
import math

import pytest
import torch
from safetensors.torch import load_file

from modeling.errors import BadInput, Stopped
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.batching import Example
from modeling.model.logprobs import sequence_logprobs
from modeling.rundir import RunDir
from modeling.spec import DPOSpec, LoraSpec
from modeling.training import dpo
from modeling.training.comparisons import Comparison, Pair
from tests.modeling.conftest import read_events
from tests.modeling.stopping import StoppingRunDir, folder_bytes
from tests.modeling.test_reward import preference_rows


@pytest.fixture
def spec(tiny_base, write_jsonl):
    return DPOSpec(
        base=str(tiny_base),
        preferences=(write_jsonl(preference_rows(16)),),
        lora=LoraSpec(rank=4, alpha=8),
        beta=0.5,
        epochs=2,
        batch_pairs=4,
        learning_rate=2e-2,
        seed=5,
    )


@pytest.fixture
def start(spec, tmp_path, tiny_base, cpu):
    """An adapter that is not the base: what a second round continues."""
    model = new_adapter(load_base(tiny_base, cpu), spec.lora, seed=8)
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    save_adapter(model, tmp_path / "start", base_sha256=base_sha256(tiny_base))
    return str(tmp_path / "start")


def losses(run):
    return [
        event["values"]["loss"]
        for event in read_events(run)
        if event["type"] == "metrics" and "loss" in event["values"]
    ]


def test_the_first_loss_is_ln_2_and_the_chosen_answers_become_likelier(spec, run_dir):
    metrics = dpo.run(spec, run_dir)
    assert losses(run_dir)[0] == pytest.approx(math.log(2), abs=1e-3)
    assert losses(run_dir)[-1] < 0.65
    assert metrics["final_accuracy"] > 0.9
    assert (metrics["n_pairs"], metrics["n_prompts"], metrics["n_pairs_skipped"]) == (16, 16, 0)


@pytest.mark.parametrize("reference", ["base", "adapter"])
def test_a_continued_adapter_is_measured_from_the_reference_that_the_spec_names(spec, run_dir, start, reference):
    dpo.run(dataclasses.replace(spec, adapter=start, reference=reference, batch_pairs=16), run_dir)
    distance = abs(losses(run_dir)[0] - math.log(2))
    assert distance < 1e-3 if reference == "adapter" else distance > 2e-3


def test_rows_carry_each_answers_own_tokens_and_reference():
    cut, finished = Example((1, 2), (7, 8)), Example((1, 2), (7, 8, 5))
    rows = dpo.encoded_rows([Comparison("p", [cut, finished], [Pair(1, 0)])], {("p", cut): -2.5, ("p", finished): -3.5})
    assert rows == [
        {
            "prompt_ids": [1, 2],
            "chosen_ids": [7, 8, 5],
            "rejected_ids": [7, 8],
            "ref_chosen_logps": -3.5,
            "ref_rejected_logps": -2.5,
        }
    ]


@pytest.mark.parametrize("continued", [False, True])
def test_a_stopped_run_goes_on_to_the_same_bytes(spec, tmp_path, start, continued):
    if continued:
        spec = dataclasses.replace(spec, adapter=start, reference="adapter")
    whole = RunDir(tmp_path / "whole")
    dpo.run(spec, whole)
    with pytest.raises(Stopped):
        dpo.run(spec, StoppingRunDir(tmp_path / "first", after_steps=4))
    second = RunDir(tmp_path / "second", resume_from=[tmp_path / "first"])
    dpo.run(spec, second)
    assert folder_bytes(second.artifact("adapter")) == folder_bytes(whole.artifact("adapter"))


def test_the_adapter_is_wrapped_once_and_no_reference_copy_is_saved(spec, run_dir, start):
    dpo.run(dataclasses.replace(spec, adapter=start), run_dir)
    folder = run_dir.artifact("adapter")
    assert sorted(file.name for file in folder.iterdir()) == [
        "adapter_config.json", "adapter_meta.json", "adapter_model.safetensors",
    ]  # fmt: skip
    assert all(
        key.startswith("base_model.model.model.layers.") for key in load_file(folder / "adapter_model.safetensors")
    )


def test_the_saved_adapter_prefers_what_was_chosen(spec, run_dir, tiny_base, tokenizer, cpu):
    dpo.run(spec, run_dir)
    model = load_adapter(load_base(tiny_base, cpu), run_dir.artifact("adapter"))
    rows = list(dpo.read_preferences(spec.preferences))
    comparison = dpo.comparisons_build(rows, tokenizer, max_length=64)[0][0]
    policy = sequence_logprobs(model, comparison.examples, cpu)
    with model.disable_adapter():
        base = sequence_logprobs(model, comparison.examples, cpu)
    chosen, rejected = (policy - base).tolist()
    assert chosen > rejected


def test_no_preferences_are_bad_input(spec, run_dir, write_jsonl):
    with pytest.raises(BadInput, match="no preferences"):
        dpo.run(dataclasses.replace(spec, preferences=(write_jsonl([], "none.jsonl"),)), run_dir)


def test_long_pairs_are_gone_through_in_parts_of_the_batch():
    assert dpo.pairs_at_once(32, longest=256, vocab_size=1_536) == 32
    assert dpo.pairs_at_once(32, longest=2_048, vocab_size=4_096) == 4  # 2^26 logits = 4 pairs of 2 * 2,048 * 4,096
    assert dpo.pairs_at_once(6, longest=2_048, vocab_size=4_096) == 3  # a part divides the batch
    assert dpo.pairs_at_once(32, longest=2_048, vocab_size=50_000) == 1


def test_going_through_a_batch_in_parts_changes_no_step(spec, tmp_path, monkeypatch):
    dpo.run(spec, whole := RunDir(tmp_path / "whole"))
    monkeypatch.setattr(dpo, "MAX_LOGITS", 1)
    dpo.run(spec, parts := RunDir(tmp_path / "parts"))
    assert losses(parts) == pytest.approx(losses(whole), abs=2e-3)
