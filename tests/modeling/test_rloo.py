import dataclasses
import math

import pytest
import torch
from safetensors.torch import load_file

from modeling.errors import BadInput, Refused, Stopped
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.batching import Example
from modeling.model.logprobs import sequence_logprobs
from modeling.model.reward import RewardModel
from modeling.rundir import RunDir
from modeling.spec import GRPOSpec, LoraSpec, RLOOSpec
from modeling.training import rloo
from modeling.training.rollouts import prompts_draw
from tests.modeling.conftest import read_events
from tests.modeling.stopping import StoppingRunDir, folder_bytes


@pytest.fixture
def spec(loud_base, reward_folder, write_jsonl):
    prompts = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(6)]
    return RLOOSpec(
        base=str(loud_base),
        reward=str(reward_folder),
        prompts=write_jsonl(prompts, "prompts.jsonl"),
        lora=LoraSpec(rank=2, alpha=4),
        n_steps=6,
        prompts_per_step=3,
        samples_per_prompt=4,
        max_new_tokens=8,
        learning_rate=2e-2,
        cut_penalty=0.0,
        seed=3,
    )


def as_stage(stage, spec, **changes):
    fields = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    return stage(**fields | changes)


def step_metrics(run):
    return [event["values"] for event in read_events(run) if event["type"] == "metrics"]


def share_of_even_tokens(_reward, examples):
    return torch.tensor([sum(token % 2 == 0 for token in example.answer) / len(example.answer) for example in examples])


@pytest.mark.parametrize("stage", [RLOOSpec, GRPOSpec])
def test_the_policy_starts_at_its_reference_and_moves_towards_what_is_rewarded(spec, run_dir, monkeypatch, stage):
    monkeypatch.setattr(RewardModel, "standardised", share_of_even_tokens)
    rloo.run(as_stage(stage, spec, learning_rate=3e-2, kl_coef=0.0, n_steps=40, prompts_per_step=6), run_dir)
    steps = step_metrics(run_dir)
    assert steps[0]["kl_nats"] == pytest.approx(0, abs=1e-6)
    rewards = [step["reward"] for step in steps]
    assert sum(rewards[:3]) / 3 < 0.6
    assert sum(rewards[-5:]) / 5 > 0.62
    assert steps[-1]["kl_nats"] > 0.1
    assert {"reward", "kl_nats", "entropy", "mean_tokens", "cut_share", "loss", "grad_norm"} <= steps[0].keys()
    assert 1 < steps[0]["entropy"] < math.log(300)
    assert any(event["type"] == "message" and "best of 24" in event["text"] for event in read_events(run_dir))


@pytest.mark.parametrize(("stage", "inner_epochs"), [(RLOOSpec, 1), (RLOOSpec, 2), (GRPOSpec, 2)])
def test_a_stopped_run_goes_on_to_the_same_bytes(spec, tmp_path, stage, inner_epochs):
    spec = as_stage(stage, spec, inner_epochs=inner_epochs)
    whole = RunDir(tmp_path / "whole")
    rloo.run(spec, whole)
    with pytest.raises(Stopped, match="step 3 of 6"):
        rloo.run(spec, StoppingRunDir(tmp_path / "first", after_steps=3))
    second = RunDir(tmp_path / "second", resume_from=[tmp_path / "first"])
    rloo.run(spec, second)
    assert folder_bytes(second.artifact("adapter")) == folder_bytes(whole.artifact("adapter"))
    assert len(step_metrics(second)) == 3


def test_the_saved_adapter_holds_the_policy_alone(spec, run_dir):
    rloo.run(spec, run_dir)
    keys = load_file(run_dir.artifact("adapter") / "adapter_model.safetensors").keys()
    assert keys
    assert all(key.startswith("base_model.model.model.layers.") for key in keys)


def test_continuing_an_adapter_takes_the_kl_to_the_reference_that_the_spec_names(spec, tmp_path, loud_base, cpu):
    start = tmp_path / "start"
    model = new_adapter(load_base(loud_base, cpu), spec.lora, seed=8)
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    save_adapter(model, start, base_sha256=base_sha256(loud_base))
    kl = {}
    for reference in ("base", "adapter"):
        run = RunDir(tmp_path / reference)
        rloo.run(dataclasses.replace(spec, adapter=str(start), reference=reference, n_steps=1), run)
        kl[reference] = step_metrics(run)[0]["kl_nats"]
    assert kl["adapter"] == pytest.approx(0, abs=1e-5)
    assert kl["base"] > 0.05


def test_grpos_kl_stands_in_the_loss_and_pulls_back(spec, tmp_path):
    kl = {}
    for kl_coef in (0.0, 10.0):
        run = RunDir(tmp_path / f"{kl_coef:g}")
        rloo.run(as_stage(GRPOSpec, spec, n_steps=16, learning_rate=5e-2, kl_coef=kl_coef), run)
        kl[kl_coef] = sum(step["kl_nats"] for step in step_metrics(run)[-5:]) / 5
    assert abs(kl[10.0]) < 0.1 < kl[0.0]


def test_too_far_from_the_reference_is_divergence(spec, run_dir):
    with pytest.raises(Refused, match="nats from the reference, the limit is 1"):
        rloo.run(dataclasses.replace(spec, learning_rate=0.5, kl_coef=0.0, max_kl_nats=1.0, n_steps=20), run_dir)


def test_a_figure_that_is_not_finite_is_divergence(spec, run_dir, monkeypatch):
    monkeypatch.setattr(rloo, "policy_gradient_loss", lambda logprobs, *_, **__: logprobs.sum() * float("nan"))
    with pytest.raises(Refused, match="not finite"):
        rloo.run(spec, run_dir)


def test_no_prompts_are_bad_input(spec, run_dir, write_jsonl):
    with pytest.raises(BadInput, match="has no prompts"):
        rloo.run(dataclasses.replace(spec, prompts=write_jsonl([], "none.jsonl")), run_dir)


def test_fewer_prompts_than_a_step_takes_are_drawn_more_than_once_in_it():
    drawn = prompts_draw(6, 12, step=1, seed="s")
    assert sorted(drawn) == sorted([*range(6), *range(6)])


def test_prompts_that_leave_no_room_for_an_answer_are_bad_input_when_there_are_no_others(spec, run_dir):
    with pytest.raises(BadInput, match="No prompt leaves room for 120 tokens"):
        rloo.run(dataclasses.replace(spec, max_new_tokens=120), run_dir)


def test_held_out_prompts_are_never_trained_on(spec, run_dir, write_jsonl):
    rows = [{"id": "h", "split": "heldout", "messages": [{"role": "user", "content": "Why?"}]}]
    with pytest.raises(BadInput, match="held out"):
        rloo.run(dataclasses.replace(spec, prompts=write_jsonl(rows), prompts_per_step=1), run_dir)


def test_every_prompt_is_drawn_once_before_any_is_drawn_twice():
    drawn = [i for step in range(20) for i in prompts_draw(10, 3, step=step, seed="s")]
    rounds = [drawn[start : start + 10] for start in range(0, 60, 10)]
    assert all(set(each) == set(range(10)) for each in rounds)
    assert rounds[0] != rounds[1]


def test_sequence_logprobs_are_those_of_the_whole_model_summed_by_hand(tiny_llama, cpu):
    examples = [Example((1, 7, 8), (20, 21, 5)), Example((1,), (9,))]
    found = sequence_logprobs(tiny_llama, examples, cpu)
    for example, value in zip(examples, found, strict=True):
        logits = tiny_llama(input_ids=torch.tensor([example.tokens])).logits[0].log_softmax(-1)
        expected = sum(logits[len(example.prompt) + i - 1, token].item() for i, token in enumerate(example.answer))
        assert float(value) == pytest.approx(expected, abs=1e-4)


def test_the_adapter_that_was_saved_is_the_policy_that_was_trained(spec, run_dir, loud_base, cpu):
    rloo.run(spec, run_dir)
    model = load_adapter(load_base(loud_base, cpu), run_dir.artifact("adapter"))
    example = [Example((1, 7, 8), (20, 21, 5))]
    with model.disable_adapter():
        before = sequence_logprobs(model, example, cpu)
    assert abs(float(sequence_logprobs(model, example, cpu) - before)) > 1e-3
