import dataclasses
import math

import pytest
import torch

from modeling.errors import BadInput, Stopped
from modeling.model.batching import Example
from modeling.model.reward import RewardModel
from modeling.rundir import RunDir
from modeling.spec import DPOSpec, LoraSpec, SpecError
from modeling.training import dpo, sampled_pairs
from modeling.training.sampled_pairs import pairs_of_scores
from tests.modeling.conftest import read_events
from tests.modeling.pairs import preference_rows
from tests.modeling.stopping import StoppingRunDir, folder_bytes


def prompt(number, **fields):
    return {"id": f"p{number}", "messages": [{"role": "user", "content": f"What eats {number}?"}], **fields}


@pytest.fixture
def spec(loud_base, reward_folder, write_jsonl):
    return DPOSpec(
        base=str(loud_base), preferences=(write_jsonl(preference_rows(16)),), reward=str(reward_folder),
        prompts=write_jsonl([prompt(i) for i in range(6)], "prompts.jsonl"), n_prompts=5, samples_per_prompt=4,
        max_new_tokens=8, lora=LoraSpec(rank=4, alpha=8), batch_pairs=8, learning_rate=1e-2, max_kl_nats=1_000, seed=5,
    )  # fmt: skip


def even_share(examples):
    return torch.tensor([sum(token % 2 == 0 for token in example.answer) / len(example.answer) for example in examples])


@pytest.fixture
def even_tokens(monkeypatch):
    """A reward model whose log-odds are sixteen times the share of even tokens."""
    monkeypatch.setattr(RewardModel, "score_all", lambda _reward, examples: 16 * even_share(examples))


def test_all_pairs_of_distinct_answers_are_as_probable_as_the_scores_say():
    low, high, middle = (Example((1, 2), (token, 3)) for token in (10, 11, 12))
    found = pairs_of_scores("p", [low, high, middle, high], [-1.0, 2.0, 0.5, 2.0])
    assert found.examples == [high, middle, low]
    assert [(pair.winner, pair.loser) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    odds = [math.exp(2 - 0.5), math.exp(2 + 1), math.exp(0.5 + 1)]
    assert [pair.target for pair in found.pairs] == pytest.approx([odd / (1 + odd) for odd in odds])
    assert {pair.weight for pair in found.pairs} == {1.0}
    assert pairs_of_scores("p", [low, low], [0.0, 0.0]).pairs == []


def test_the_policy_learns_what_the_reward_model_prefers_and_not_only_what_people_did(spec, run_dir, even_tokens):
    figures = dpo.run(dataclasses.replace(spec, samples_per_prompt=16, epochs=6), run_dir)
    assert figures["n_pairs"] == 16
    assert figures["n_pairs_sampled"] > 300
    assert figures["final_accuracy"] > 0.7
    assert any(event.get("text") == "Sampled 80 answers to 5 prompts." for event in read_events(run_dir))


def test_without_a_reward_model_or_with_no_prompts_asked_for_people_s_pairs_are_all(spec, tmp_path):
    plain = dataclasses.replace(spec, reward="", prompts=None)
    one, other = RunDir(tmp_path / "one"), RunDir(tmp_path / "other")
    assert dpo.run(plain, one) == dpo.run(dataclasses.replace(spec, n_prompts=0), other)
    assert folder_bytes(one.artifact("adapter")) == folder_bytes(other.artifact("adapter"))


def test_a_stopped_run_samples_the_same_answers_again_and_ends_in_the_same_bytes(spec, tmp_path):
    whole, first = RunDir(tmp_path / "whole"), StoppingRunDir(tmp_path / "first", after_steps=3)
    figures = dpo.run(spec, whole)
    with pytest.raises(Stopped, match="step 3"):
        dpo.run(spec, first)
    second = RunDir(tmp_path / "second", resume_from=[first.path])
    assert dpo.run(spec, second) == figures
    assert folder_bytes(second.artifact("adapter")) == folder_bytes(whole.artifact("adapter"))


def test_sampling_shows_its_progress_and_can_be_stopped(spec, tmp_path):
    run = RunDir(tmp_path / "run")
    run.request_stop()
    with pytest.raises(Stopped, match="samples them again"):
        dpo.run(spec, run)
    assert "answers" in {event.get("unit") for event in read_events(run)}


def test_a_policy_that_is_continued_answers_itself(spec, tmp_path, monkeypatch):
    adapter = RunDir(tmp_path / "start")
    dpo.run(dataclasses.replace(spec, learning_rate=0.1, epochs=8), adapter)
    sampled = []
    collect = sampled_pairs.pairs_sample
    monkeypatch.setattr(dpo, "pairs_sample", lambda *given, **named: sampled.append(collect(*given, **named)) or [])
    dpo.run(spec, RunDir(tmp_path / "fresh"))
    dpo.run(dataclasses.replace(spec, adapter=str(adapter.artifact("adapter"))), RunDir(tmp_path / "continued"))
    fresh, continued = ([item.examples for item in found] for found in sampled)
    assert fresh != continued


def test_held_out_prompts_are_not_sampled(spec, run_dir, write_jsonl):
    """The pool holds the very prompts that people judged; those kept for the held-out loss are left alone."""
    judged = [{"id": row["prompt_id"], "messages": row["prompt"]} for row in preference_rows(16)]
    same = write_jsonl(judged, "same.jsonl")
    figures = dpo.run(dataclasses.replace(spec, prompts=same, n_prompts=100, heldout_share=0.25), run_dir)
    assert any(event.get("text") == "Sampled 48 answers to 12 prompts." for event in read_events(run_dir))
    assert figures["n_pairs_heldout"] == 4


def test_a_pool_that_cannot_be_used_is_bad_input(spec, run_dir, write_jsonl):
    held, none = write_jsonl([prompt(1, split="heldout")], "held.jsonl"), write_jsonl([], "none.jsonl")
    with pytest.raises(BadInput, match="held out for evaluation"):
        dpo.run(dataclasses.replace(spec, prompts=held), run_dir)
    with pytest.raises(BadInput, match="add some, or set n_prompts to 0"):
        dpo.run(dataclasses.replace(spec, prompts=none), run_dir)
    with pytest.raises(BadInput, match="No prompt leaves room"):
        dpo.run(dataclasses.replace(spec, max_new_tokens=1_000), run_dir)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reward": ""}, "reward and prompts belong together"),
        ({"prompts": None}, "reward and prompts belong together"),
        ({"n_prompts": -1}, "n_prompts must not be negative"),
        ({"samples_per_prompt": 1}, "samples_per_prompt must be at least 2"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
    ],
)
def test_a_specification_that_cannot_be_sampled_is_refused(spec, change, reason):
    with pytest.raises(SpecError, match=reason):
        dataclasses.replace(spec, **change).validate()
