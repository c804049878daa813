import dataclasses

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
from modeling.spec import LoraSpec, RFTSpec, SpecError
from modeling.training import rft
from tests.modeling.conftest import fill, read_events
from tests.modeling.stopping import folder_bytes
from tests.modeling.test_pretrain import stop_at_step


@pytest.fixture
def spec(loud_base, reward_folder, write_jsonl):
    prompts = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(6)]
    return RFTSpec(
        base=str(loud_base), reward=str(reward_folder), prompts=write_jsonl(prompts, "prompts.jsonl"),
        lora=LoraSpec(rank=2, alpha=4), samples_per_prompt=4, prompts_per_step=2, max_new_tokens=8, batch_size=2,
        epochs=2.0, learning_rate=2e-2, seed=3,
    )  # fmt: skip


@pytest.fixture
def even_tokens(monkeypatch):
    """Reward the share of even tokens, and let no answer count as cut: untrained policies hardly ever end."""

    def standardised(_reward, examples):
        shares = [sum(token % 2 == 0 for token in example.answer) / len(example.answer) for example in examples]
        return torch.tensor(shares)

    monkeypatch.setattr(RewardModel, "standardised", standardised)
    choose = rft.best_answers
    monkeypatch.setattr(rft, "best_answers", lambda scores, cut, *, margin: choose(scores, cut & False, margin=margin))


# ---- Which answers are kept ------------------------------------------------------------------------------------------


def test_the_best_answer_that_ends_is_kept_where_it_is_far_enough_above_the_mean():
    scores = torch.tensor([[0.0, 3.0, 1.0], [1.0, 1.0, 1.0], [0.0, 9.0, 3.0], [5.0, 6.0, 7.0]])
    cut = torch.tensor([[False] * 3, [False] * 3, [False, True, False], [True] * 3])
    # Means: 4/3, 1, 4, 6. The third prompt's best answer is cut, and the next one lies below the mean.
    assert rft.best_answers(scores, cut, margin=0.0) == [1, 0, None, None]
    assert rft.best_answers(scores, cut, margin=1.0) == [1, None, None, None]
    assert rft.best_answers(scores, cut, margin=2.0) == [None] * 4


# ---- The stage -------------------------------------------------------------------------------------------------------


def test_the_policy_moves_towards_the_best_of_its_answers(spec, run_dir, even_tokens):
    figures = rft.run(dataclasses.replace(spec, samples_per_prompt=16, epochs=20), run_dir)
    assert (figures["n_prompts"], figures["n_sampled"], figures["n_kept"]) == (6, 96, 6)
    assert figures["kept_reward"] > figures["sampled_reward"] + 0.1
    assert figures["final_reward"] > figures["sampled_reward"] + 0.02  # two standard errors of 2,048 tokens
    assert figures["final_kl_nats"] > 0.1
    events = read_events(run_dir)
    assert any("Best of 32 answers: 'What eats" in event.get("text", "") for event in events)
    losses = [event["values"]["loss"] for event in events if "loss" in event.get("values", {})]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("stop_at", [2, 5])
def test_a_run_stopped_while_it_samples_or_while_it_trains_ends_in_the_same_bytes(spec, tmp_path, even_tokens, stop_at):
    """Three steps sample two prompts each; six train on the six answers that were kept, twice."""
    spec = dataclasses.replace(spec, lora=LoraSpec(rank=2, alpha=4, dropout=0.3))
    whole, first = RunDir(tmp_path / "whole"), RunDir(tmp_path / "first")
    figures = rft.run(spec, whole)
    stop_at_step(first, stop_at)
    with pytest.raises(Stopped, match=f"step {stop_at} of {3 if stop_at < 3 else 9}"):
        rft.run(spec, first)
    second = RunDir(tmp_path / "second", resume_from=[first.path])
    assert rft.run(spec, second) == figures
    assert folder_bytes(second.artifact("adapter")) == folder_bytes(whole.artifact("adapter"))


def test_the_saved_adapter_is_a_policy_of_the_same_base(spec, run_dir, loud_base, cpu, even_tokens):
    rft.run(spec, run_dir)
    keys = load_file(run_dir.artifact("adapter") / "adapter_model.safetensors").keys()
    assert keys
    assert all(key.startswith("base_model.model.model.layers.") for key in keys)
    model = load_adapter(load_base(loud_base, cpu), run_dir.artifact("adapter"), base_sha256=base_sha256(loud_base))
    example = [Example((1, 7, 8), (20, 21, 5))]
    with model.disable_adapter():
        before = sequence_logprobs(model, example, cpu)
    assert abs(float(sequence_logprobs(model, example, cpu) - before)) > 1e-3


def test_a_policy_that_is_continued_samples_as_itself(spec, tmp_path, loud_base, cpu, even_tokens):
    policy = new_adapter(load_base(loud_base, cpu), spec.lora, seed=2)
    fill(policy, 2)
    save_adapter(policy, tmp_path / "policy", base_sha256=base_sha256(loud_base))
    continued = rft.run(dataclasses.replace(spec, adapter=str(tmp_path / "policy")), RunDir(tmp_path / "continued"))
    fresh = rft.run(spec, RunDir(tmp_path / "fresh"))
    assert continued["sampled_reward"] != fresh["sampled_reward"]
    assert continued["final_kl_nats"] > fresh["final_kl_nats"]


def test_answers_that_are_all_cut_leave_nothing_to_learn(spec, run_dir, monkeypatch):
    monkeypatch.setattr(rft, "best_answers", lambda scores, _cut, *, margin: [None] * len(scores))
    with pytest.raises(Refused, match="No answer was worth keeping"):
        rft.run(spec, run_dir)


def test_so_many_prompts_are_drawn_as_were_asked_for_and_the_same_for_the_same_seed(spec, tmp_path, even_tokens):
    spec = dataclasses.replace(spec, n_prompts=3)
    one, same = (rft.run(spec, RunDir(tmp_path / name)) for name in ("one", "same"))
    assert (one["n_prompts"], one["n_sampled"]) == (3, 12)
    assert one == same


def test_held_out_prompts_are_never_trained_on(spec, run_dir, write_jsonl):
    rows = [{"id": "h", "split": "heldout", "messages": [{"role": "user", "content": "Why?"}]}]
    with pytest.raises(BadInput, match="held out"):
        rft.run(dataclasses.replace(spec, prompts=write_jsonl(rows)), run_dir)


@pytest.mark.parametrize(
    "changes", [{"samples_per_prompt": 1}, {"margin": -1}, {"epochs": 0}, {"prompts_per_step": 0}, {"n_prompts": 0}]
)
def test_settings_out_of_range_are_refused(spec, changes):
    with pytest.raises(SpecError, match=next(iter(changes))):
        RFTSpec.from_json(spec.to_json() | changes)
