import dataclasses
import math

import pytest
import torch

from modeling.errors import BadInput, Stopped
from modeling.model.base import load_base
from modeling.model.batching import Example
from modeling.model.reward import RewardModel
from modeling.rundir import RunDir
from modeling.sampling.sampler import Sampler
from modeling.spec import DPOSpec, LoraSpec, SpecError
from modeling.training import dpo, sampled_pairs
from modeling.training.comparisons import Comparison, Pair
from modeling.training.offline_policy import OfflinePolicy
from modeling.training.sampled_pairs import _log_odds, pairs_of_scores
from tests.modeling.conftest import read_events
from tests.modeling.pairs import preference_rows
from tests.modeling.stopping import folder_bytes


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


def odds(log_odds):
    return 1 / (1 + math.exp(-log_odds))


def test_all_pairs_of_distinct_answers_are_as_probable_as_the_models_say_on_average():
    low, high, middle = (Example((1, 2), (token, 3)) for token in (10, 11, 12))
    scores = torch.tensor([[-1.0, 2.0, 0.5, 2.0], [-1.0, 3.0, 1.5, 3.0]])
    found = pairs_of_scores([low, high, middle, high], scores)
    assert found.examples == [high, middle, low]
    assert not found.is_judged
    assert [(pair.winner, pair.loser) for pair in found.pairs] == [(0, 1), (0, 2), (1, 2)]
    expected = [odds(1.5), (odds(3.0) + odds(4.0)) / 2, (odds(1.5) + odds(2.5)) / 2]
    assert [pair.target for pair in found.pairs] == pytest.approx(expected)
    assert {pair.weight for pair in found.pairs} == {1.0}
    assert pairs_of_scores([low, low], torch.zeros(1, 2)).pairs == []


@pytest.mark.parametrize(
    ("weights", "dimension", "expected"),
    [({"": 1.0}, "", 8.0), ({"kind": 1.0, "true": 3.0}, "", 14.0), ({"kind": 1.0, "true": 3.0}, "kind", 8.0)],
)
def test_the_log_odds_are_the_raw_scores_of_every_member_for_what_the_pairs_are_judged_by(
    monkeypatch, cpu, weights, dimension, expected
):
    """One dimension, or the weighted mean of all; the scores' spread, by which PPO divides, has no part."""
    columns = torch.tensor([[8.0, 16.0][: len(weights)]])
    monkeypatch.setattr(RewardModel, "score_all", lambda model, _: columns @ torch.tensor([*model.dimensions.values()]))
    second = RewardModel(None, "second", cpu, std=4.0, dimensions=weights)
    reward = RewardModel(None, "first", cpu, std=4.0, dimensions=weights, further=[second])
    assert _log_odds(reward, [Example((1,), (2,))], dimension).tolist() == [[expected], [expected]]
    with pytest.raises(BadInput, match="does not score 'style'"):
        _log_odds(reward, [], "style")


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


@pytest.mark.parametrize("stop_at", ["answers", "steps"])
def test_a_stopped_run_keeps_its_answers_and_ends_in_the_same_bytes(spec, tmp_path, monkeypatch, stop_at):
    monkeypatch.setattr(sampled_pairs, "PROMPTS_AT_ONCE", 2)
    whole, first = RunDir(tmp_path / "whole"), RunDir(tmp_path / "first")
    figures = dpo.run(spec, whole)
    stop_at_unit(first, stop_at, 8 if stop_at == "answers" else 3)
    with pytest.raises(Stopped, match="after 8 sampled answers" if stop_at == "answers" else "step 3"):
        dpo.run(spec, first)
    second = RunDir(tmp_path / "second", resume_from=[first.path])
    sampled = []
    sample = Sampler.sample
    monkeypatch.setattr(
        Sampler, "sample", lambda self, prompts, *rest: sampled.append(len(prompts)) or sample(self, prompts, *rest)
    )
    assert dpo.run(spec, second) == figures
    assert sampled[:-1] == ([8, 4] if stop_at == "answers" else [])  # the last ones measure the KL
    assert folder_bytes(second.artifact("adapter")) == folder_bytes(whole.artifact("adapter"))


def stop_at_unit(run, unit, done):
    plain = run.progress

    def progress(now, total, unit_now="steps"):
        plain(now, total, unit_now)
        if (unit_now, now) == (unit, done):
            run.request_stop()

    run.progress = progress


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_label_noise_is_a_matter_of_judged_pairs_alone(spec, cpu, smoothing):
    """A reward model's probability already says how often people would have said otherwise."""
    pair = Comparison("p", [Example((1, 7), (20, 5)), Example((1, 7), (21, 5))], [Pair(0, 1, target=0.9)])
    policy = OfflinePolicy(spec, load_base(spec.base, cpu), cpu, base_sha256="")
    policy.reference_compute(pair.examples)
    policy.reference = {example: logprob + i for i, (example, logprob) in enumerate(policy.reference.items())}
    objective = dpo.PairObjective(dataclasses.replace(spec, sft_coef=0.0), policy, smoothing=smoothing)

    def loss(comparison):
        (part,) = objective.parts([comparison])
        return float(objective.part_loss(part)[0])

    plain = 0.9 * math.log1p(math.exp(-spec.beta)) + 0.1 * math.log1p(math.exp(spec.beta))
    assert loss(dataclasses.replace(pair, is_judged=False)) == pytest.approx(plain, abs=1e-5)
    assert (loss(pair) == pytest.approx(plain, abs=1e-5)) == (smoothing == 0)


def test_a_policy_that_is_continued_answers_itself(spec, tmp_path, monkeypatch):
    adapter = RunDir(tmp_path / "start")
    dpo.run(dataclasses.replace(spec, learning_rate=0.1, epochs=8), adapter)
    sampled = []
    collect = sampled_pairs.pairs_sample
    monkeypatch.setattr(dpo, "pairs_sample", lambda *given, **named: sampled.append(collect(*given, **named)) or [])
    dpo.run(spec, RunDir(tmp_path / "fresh"))
    continued = dataclasses.replace(spec, adapter=str(adapter.artifact("adapter")), reference="adapter")
    dpo.run(continued, RunDir(tmp_path / "continued"))
    fresh, continued = ([item.examples for item in found] for found in sampled)
    assert fresh != continued


def test_held_out_prompts_are_not_sampled_whatever_they_are_called(spec, run_dir, write_jsonl):
    judged = [{"id": f"other {i}", "messages": row["prompt"]} for i, row in enumerate(preference_rows(16))]
    same = write_jsonl(judged, "same.jsonl")
    figures = dpo.run(dataclasses.replace(spec, prompts=same, n_prompts=100, heldout_share=0.25), run_dir)
    assert any(event.get("text") == "Sampled 48 answers to 12 prompts." for event in read_events(run_dir))
    assert figures["n_pairs_heldout"] == 4


def test_sampled_conversations_are_no_longer_than_judged_ones(spec, run_dir, write_jsonl):
    long = [{"id": "long", "messages": [{"role": "user", "content": "What eats " * 40}]}]
    mixed = write_jsonl([*[prompt(i) for i in range(3)], *long], "mixed.jsonl")
    dpo.run(dataclasses.replace(spec, prompts=mixed, max_length=48), run_dir)
    texts = [event.get("text") for event in read_events(run_dir)]
    assert "Skipped 1 prompts that leave no room for an answer." in texts
    assert "Sampled 12 answers to 3 prompts." in texts


def test_a_pool_that_cannot_be_used_is_bad_input(spec, run_dir, write_jsonl):
    held, none = write_jsonl([prompt(1, split="heldout")], "held.jsonl"), write_jsonl([], "none.jsonl")
    with pytest.raises(BadInput, match="held out for evaluation"):
        dpo.run(dataclasses.replace(spec, prompts=held), run_dir)
    with pytest.raises(BadInput, match="add some, or set n_prompts to 0"):
        dpo.run(dataclasses.replace(spec, prompts=none), run_dir)
    with pytest.raises(BadInput, match=r"No prompt leaves room .* Or set n_prompts to 0"):
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
