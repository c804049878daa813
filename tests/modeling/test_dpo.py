import dataclasses
import math

import pytest
import torch
from safetensors.torch import load_file

from modeling.data.preferences import Judgment
from modeling.errors import BadInput, Refused, Stopped
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.batching import Example
from modeling.model.logprobs import sequence_logprobs
from modeling.rundir import RunDir
from modeling.spec import DPOSpec, LabelSpec, LoraSpec, SpecError
from modeling.training import dpo
from modeling.training.comparisons import Comparison, Pair
from tests.modeling.conftest import read_events
from tests.modeling.pairs import preference_rows
from tests.modeling.stopping import StoppingRunDir, folder_bytes


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


def described(pairs):
    """A comparison of two answers with a judged pair for each (winner, judgment)."""
    examples = [Example((1, 2), (7, 8)), Example((1, 2), (7, 8, 5))]
    return Comparison("p", examples, [Pair(winner, 1 - winner, judgment) for winner, judgment in pairs])


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


def test_going_through_a_batch_in_parts_changes_no_step(spec, tmp_path, monkeypatch):
    dpo.run(spec, whole := RunDir(tmp_path / "whole"))
    monkeypatch.setattr(dpo, "token_budget", lambda _device: 1)
    dpo.run(spec, parts := RunDir(tmp_path / "parts"))
    assert losses(parts) == pytest.approx(losses(whole), abs=2e-3)


@pytest.mark.parametrize("change", [
    {"label_smoothing": 0.2}, {"loss": "robust", "label_smoothing": 0.2}, {"loss": "ipo"}, {"loss": "hinge"},
    {"loss": "apo_zero"}, {"loss": "apo_down"}, {"sft_coef": 0.5},
])  # fmt: skip
def test_every_member_of_the_family_trains_and_takes_a_way_of_its_own(spec, tmp_path, change):
    dpo.run(spec, plain := RunDir(tmp_path / "plain"))
    metrics = dpo.run(dataclasses.replace(spec, **change), other := RunDir(tmp_path / "other"))
    assert folder_bytes(other.artifact("adapter")) != folder_bytes(plain.artifact("adapter"))
    assert losses(other)[-1] < losses(other)[0]
    assert metrics["final_accuracy"] > 0.9 or change == {"loss": "apo_down"}


def test_label_smoothing_is_measured_from_the_annotators(spec, run_dir, write_jsonl):
    rows = [row | {"reliability": (0.9, 0.7, None)[i % 3]} for i, row in enumerate(preference_rows(12))]
    noisy = dataclasses.replace(
        spec, preferences=(write_jsonl(rows, "noisy.jsonl"),), measure_smoothing=True, labels=LabelSpec(source="hard")
    )
    assert dpo.run(noisy, run_dir)["label_smoothing"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("reliability", "reason"), [(None, "give label_smoothing"), (0.505, "hardly better than coins")]
)
def test_smoothing_that_cannot_be_measured_is_bad_input(reliability, reason):
    with pytest.raises(BadInput, match=reason):
        dpo.smoothing_measure([described([(0, Judgment(reliability=reliability))])])


def test_a_specification_does_not_allow_for_the_same_noise_twice(spec):
    for change in ({"label_smoothing": 0.1}, {"labels": LabelSpec(source="reliability")}):
        with pytest.raises(SpecError, match="hold the noise already"):
            dataclasses.replace(
                spec, **{"labels": LabelSpec(source="hard"), "measure_smoothing": True} | change
            ).validate()


def test_prompts_are_held_out_whole_and_measured(spec, run_dir):
    metrics = dpo.run(dataclasses.replace(spec, heldout_share=0.25), run_dir)
    assert (metrics["n_pairs"], metrics["n_pairs_heldout"], metrics["n_prompts"]) == (12, 4, 12)
    assert metrics["heldout_accuracy"] > 0.9
    assert metrics["heldout_loss"] < math.log(2)


def test_the_final_kl_is_what_sampling_from_the_policy_says(spec, run_dir, loud_base):
    metrics = dpo.run(dataclasses.replace(spec, base=str(loud_base)), run_dir)
    assert 0 < metrics["final_kl_nats"] < 30


def test_a_policy_that_ran_away_is_refused(spec, run_dir, loud_base):
    with pytest.raises(Refused, match=r"nats from its reference, the limit is 0\.01.*Raise beta"):
        dpo.run(dataclasses.replace(spec, base=str(loud_base), max_kl_nats=0.01), run_dir)


def test_a_loss_that_is_not_a_number_ends_the_run(spec, run_dir, monkeypatch):
    monkeypatch.setitem(dpo.PAIR_LOSSES, "sigmoid", lambda chosen, _rejected, _beta: chosen * math.nan)
    with pytest.raises(Refused, match=r"step 1: .*loss.*not finite"):
        dpo.run(spec, run_dir)


def test_only_the_dimension_asked_for_is_trained_on(spec, run_dir, write_jsonl):
    rows = preference_rows(16)
    file = write_jsonl([row | {"dimension": "tone" if i % 4 else ""} for i, row in enumerate(rows)], "two.jsonl")
    metrics = dpo.run(dataclasses.replace(spec, preferences=(file,), dimension="tone"), run_dir)
    assert (metrics["n_pairs"], metrics["n_pairs_of_other_dimensions"]) == (12, 4)
    with pytest.raises(BadInput, match="'humour'; there are '', 'tone'"):
        dpo.run(dataclasses.replace(spec, preferences=(file,), dimension="humour"), run_dir)


def test_pairs_of_suspected_annotators_are_left_out_and_counted(spec, run_dir, write_jsonl):
    rows = [row | {"weight": i % 2} for i, row in enumerate(preference_rows(16))]
    metrics = dpo.run(dataclasses.replace(spec, preferences=(write_jsonl(rows, "weighed.jsonl"),)), run_dir)
    assert (metrics["n_pairs"], metrics["n_pairs_weightless"]) == (8, 8)
