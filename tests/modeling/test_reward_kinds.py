"""Reward models beyond the plain one: ensembles, dimensions, ties; and data or models that are refused."""

import dataclasses
import json
import math
import random

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForTokenClassification

from modeling.data.chat import encode_prompt
from modeling.errors import BadInput, Refused, Stopped
from modeling.evaluation.held_out import held_out_read
from modeling.evaluation.reward_figures import reward_figures
from modeling.model.base import base_sha256, load_base
from modeling.model.batching import Example
from modeling.model.reward import RewardModel, reward_model_load
from modeling.rundir import RunDir
from modeling.spec import LabelSpec, LoraSpec, RewardSpec
from modeling.training import reward as reward_stage
from tests.modeling.stopping import StoppingRunDir

GOOD, BAD = ("It eats berries.", "It eats red berries."), ("It eats bread.", "It eats old bread.")


def row(i, chosen, rejected, **more):
    return {
        "prompt": [{"role": "user", "content": f"What does fox {i} eat?"}], "prompt_id": f"p{i}",
        "chosen": [{"role": "assistant", "content": chosen}], "rejected": [{"role": "assistant", "content": rejected}],
        **more,
    }  # fmt: skip


def rows(n_prompts, **more):
    return [row(i, GOOD[i % 2], BAD[i % 2], **more) for i in range(n_prompts)]


@pytest.fixture
def spec(tiny_base, write_jsonl):
    return RewardSpec(
        base=str(tiny_base), preferences=(write_jsonl(rows(8)),), lora=LoraSpec(rank=4, alpha=8), epochs=3,
        batch_pairs=4, learning_rate=1e-2, folds=2, seed=5,
    )  # fmt: skip


def trained_on(spec, write_jsonl, data, run_dir, **changes):
    """Train on the data; return the metrics."""
    return reward_stage.run(dataclasses.replace(spec, preferences=(write_jsonl(data),), **changes), run_dir)


def loaded(run_dir, base, cpu):
    return reward_model_load(load_base(base, cpu), run_dir.artifact("reward"), cpu, base_sha256=base_sha256(base))


def all_bytes(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


# ---- Ensembles


def test_the_first_member_of_an_ensemble_is_the_single_model(spec, tmp_path):
    single, three = RunDir(tmp_path / "single"), RunDir(tmp_path / "three")
    alone = reward_stage.run(spec, single)
    together = reward_stage.run(dataclasses.replace(spec, n_models=3), three)

    assert together["disagreement"] > 0
    assert {name: together[name] for name in alone} == alone
    one, many = all_bytes(single.artifact("reward")), all_bytes(three.artifact("reward"))
    assert many["adapter_model.safetensors"] == one["adapter_model.safetensors"]
    assert len({many[f"{folder}adapter_model.safetensors"] for folder in ("", "member-2/", "member-3/")}) == 3
    assert "n_models" not in json.loads(one["reward_meta.json"])


def test_an_ensemble_agrees_on_what_it_was_trained_on_more_than_elsewhere(spec, run_dir, tiny_base, tokenizer, cpu):
    reward_stage.run(dataclasses.replace(spec, n_models=4), run_dir)
    reward = loaded(run_dir, tiny_base, cpu)

    known, _ = reward_stage.comparisons_build(
        list(reward_stage.read_preferences(spec.preferences)), tokenizer, max_length=64
    )
    generator = random.Random(0)
    strange = [Example((1, 7), tuple(generator.randrange(20, 280) for _ in range(12))) for _ in range(50)]
    at_home = reward.disagreement([example for one in known for example in one.examples]).mean()

    assert reward.disagreement(strange).mean() > 1.5 * at_home


def test_the_lower_bound_is_the_mean_less_standard_deviations(spec, run_dir, tiny_base, cpu):
    reward_stage.run(dataclasses.replace(spec, n_models=2), run_dir)
    reward = loaded(run_dir, tiny_base, cpu)
    examples = [Example((1, 7), (20, 5)), Example((1,), (30, 31, 5))]
    first, second = reward.standardised_by_member(examples)

    assert reward.standardised(examples).tolist() == pytest.approx(((first + second) / 2).tolist())
    bound = (first + second) / 2 - 2 * (first - second).abs() / 2  # the deviation of two is half their distance
    assert reward.lower_bound(examples, n_std=2).tolist() == pytest.approx(bound.tolist(), abs=1e-6)


def test_a_single_model_agrees_with_itself(spec, run_dir, tiny_base, cpu):
    reward_stage.run(spec, run_dir)
    reward = loaded(run_dir, tiny_base, cpu)
    examples = [Example((1, 7), (20, 5))]
    assert reward.disagreement(examples).tolist() == [0]
    assert reward.lower_bound(examples, n_std=3).tolist() == reward.standardised(examples).tolist()


@pytest.mark.parametrize("after_steps", [11, 14, 20])  # a fold, the first kept member, the last one
def test_a_stopped_ensemble_goes_on_to_the_same_bytes(spec, tmp_path, write_jsonl, after_steps):
    data = [*rows(8), *[row(i, GOOD[0], GOOD[1], tie=True) for i in range(4)]]
    spec = dataclasses.replace(spec, preferences=(write_jsonl(data),), n_models=2)
    whole = RunDir(tmp_path / "whole")
    expected = reward_stage.run(spec, whole)
    with pytest.raises(Stopped):
        reward_stage.run(spec, StoppingRunDir(tmp_path / "first", after_steps=after_steps))
    second = RunDir(tmp_path / "second", resume_from=[tmp_path / "first"])
    assert reward_stage.run(spec, second) == expected
    assert all_bytes(second.path / "artifacts") == all_bytes(whole.path / "artifacts")


@pytest.mark.parametrize(
    ("meta", "sentence"),
    [
        ('{"mean": 0, "std": 0}', "impossible numbers"),
        ('{"mean": NaN, "std": 1}', "impossible numbers"),
        ('{"mean": 0, "std": 1, "n_models": 99}', "impossible numbers"),
        ('{"mean": "much"}', "cannot be read"),
        ("[]", "cannot be read"),
        ('{"mean": 0, "std": 1, "dimensions": [["", 1], ["tone", 1]]}', "the head has 1 outputs"),
        ('{"mean": 0, "std": 1, "n_models": 2}', "member-2"),
    ],
)
def test_figures_that_cannot_be_are_refused(reward_folder, loud_base, tmp_path, cpu, meta, sentence):
    for file in reward_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "reward_meta.json").write_text(meta)
    with pytest.raises(BadInput, match=sentence):
        reward_model_load(load_base(loud_base, cpu), tmp_path, cpu, base_sha256="")


# ---- Dimensions


@pytest.fixture
def two_tastes():
    """Overall the first answer wins, in tone the second: one score cannot say both."""
    return [*rows(12), *[row(i, BAD[i % 2], GOOD[i % 2], dimension="tone") for i in range(12)]]


def test_each_dimension_has_a_head_and_the_score_is_their_weighted_sum(
    spec, run_dir, write_jsonl, two_tastes, tiny_base, cpu
):
    metrics = trained_on(spec, write_jsonl, two_tastes, run_dir, dimensions={"": 1.0, "tone": 0.25}, epochs=6)
    assert (metrics["accuracy_dimension_overall"], metrics["accuracy_dimension_tone"]) == (1, 1)

    reward = loaded(run_dir, tiny_base, cpu)
    examples = [Example((1, 7, 8), (20, 21, 5)), Example((1, 9), (30, 5))]
    with torch.no_grad():
        overall, tone = reward.dimension_scores(examples).T
    assert reward.dimensions == {"": 1.0, "tone": 0.25}
    assert reward.score_all(examples).tolist() == pytest.approx((overall + 0.25 * tone).tolist(), abs=1e-6)


def test_the_heads_are_labels_to_plain_peft(spec, run_dir, write_jsonl, two_tastes, tiny_base, cpu):
    trained_on(spec, write_jsonl, two_tastes, run_dir, dimensions={"": 1.0, "tone": 0.5})
    theirs = AutoModelForTokenClassification.from_pretrained(tiny_base, num_labels=2, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(theirs, run_dir.artifact("reward")).eval()
    example = Example((1, 7, 8), (20, 21, 5))
    with torch.no_grad():
        logits = theirs(input_ids=torch.tensor([example.tokens])).logits[0, 3:]
        ours = loaded(run_dir, tiny_base, cpu).dimension_scores([example])[0]
    assert ours.tolist() == pytest.approx((logits[-1] + logits.mean(dim=0)).tolist(), abs=1e-5)


def test_models_with_different_heads_share_a_base(spec, tmp_path, write_jsonl, two_tastes, tiny_base, cpu):
    one, two = RunDir(tmp_path / "one"), RunDir(tmp_path / "two")
    reward_stage.run(spec, one)
    trained_on(spec, write_jsonl, two_tastes, two, dimensions={"": 1.0, "tone": 0.5})
    alone = [loaded(run, tiny_base, cpu).score_all([Example((1, 7), (20, 5))]).tolist() for run in (one, two)]

    base = load_base(tiny_base, cpu)
    first = reward_model_load(base, one.artifact("reward"), cpu, base_sha256="")
    second = reward_model_load(first.model, two.artifact("reward"), cpu, base_sha256="", name="judge")

    assert [reward.score_all([Example((1, 7), (20, 5))]).tolist() for reward in (first, second)] == alone


def test_rows_of_other_dimensions_are_left_out_and_counted(spec, run_dir, write_jsonl, two_tastes):
    metrics = trained_on(spec, write_jsonl, two_tastes, run_dir)
    assert (metrics["n_pairs"], metrics["n_pairs_of_other_dimensions"]) == (12, 12)


def test_a_dimension_that_nobody_judged_is_refused(spec, run_dir, write_jsonl, two_tastes):
    with pytest.raises(BadInput, match="No pair was judged for dimension 'wit'; there are '', 'tone'"):
        trained_on(spec, write_jsonl, two_tastes, run_dir, dimensions={"": 1.0, "wit": 1.0})


# ---- Ties, weights and what the file of held-out pairs holds


def test_tied_answers_score_nearer_to_each_other(spec, tmp_path, write_jsonl, tiny_base, tokenizer, cpu):
    won = [*rows(12), *[row(i, GOOD[0], GOOD[1]) for i in range(12)]]
    gaps = []
    for tie in (False, True):
        run_dir = RunDir(tmp_path / str(tie))
        more = [row(i, GOOD[0], GOOD[1], tie=tie) for i in range(12) for _ in range(3)]
        metrics = trained_on(spec, write_jsonl, [*won, *more], run_dir)
        reward = loaded(run_dir, tiny_base, cpu)
        answers = [tuple(tokenizer.encode(text, add_special_tokens=False)) for text in GOOD]
        prompts = [tuple(encode_prompt(tokenizer, one["prompt"])) for one in more[::3]]
        scores = reward.score_all([Example(prompt, answer) for prompt in prompts for answer in answers])
        gaps.append(float((scores[::2] - scores[1::2]).mean()))
    assert (metrics["n_ties"], metrics["heldout_n_undecided"]) == (36, 36)
    assert gaps[1] < gaps[0]


def test_spammers_do_not_reach_the_model(spec, tmp_path, write_jsonl):
    spam = [row(i, BAD[i % 2], GOOD[i % 2], weight=0.0, reliability=0.5) for i in range(8)]
    clean, dirty = RunDir(tmp_path / "clean"), RunDir(tmp_path / "dirty")
    reward_stage.run(spec, clean)
    metrics = trained_on(spec, write_jsonl, [*rows(8), *spam], dirty)
    assert (metrics["n_pairs"], metrics["n_pairs_weightless"]) == (8, 8)
    assert all_bytes(dirty.artifact("reward")) == all_bytes(clean.artifact("reward"))


def test_the_consensus_outvotes_a_judgment(spec, run_dir, write_jsonl):
    agreed = [one | {"consensus": True, "confidence": 0.95} for one in rows(8)]
    wrong = [row(i, BAD[i % 2], GOOD[i % 2], consensus=False, confidence=0.95) for i in range(8)]
    metrics = trained_on(spec, write_jsonl, [*agreed, *wrong], run_dir, labels=LabelSpec(source="consensus"))
    assert (metrics["reward_accuracy"], metrics["reward_accuracy_n"]) == (1, 16)


def test_figures_follow_from_the_file_of_held_out_pairs(spec, run_dir, write_jsonl):
    data = [one | {"strength": 1 + i % 3, "chosen_first": i % 2 == 0} for i, one in enumerate(rows(8))]
    metrics = trained_on(spec, write_jsonl, data, run_dir, margin=0.2)
    pairs = held_out_read(run_dir.artifact("heldout.jsonl"))
    assert len(pairs) == 8
    assert {pair.fold for pair in pairs} == {0, 1}
    figures = reward_figures(pairs)
    assert figures == {name: metrics[name] for name in figures}
    assert metrics["accuracy_strength_3_n"] == 2


# ---- Refusals


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "There are no preferences"),
        ([one | {"tie": True} for one in rows(8)], "Every preference is a tie"),
        ([row(i, GOOD[0], BAD[i % 2]) for i in range(8)], "One and the same answer wins in all 8 pairs"),
        ([row(i, GOOD[i % 2], BAD[0]) for i in range(8)], "One and the same answer loses in all 8 pairs"),
    ],
)
def test_data_that_has_one_side_only_is_refused_before_the_base_is_loaded(
    spec, run_dir, write_jsonl, data, sentence, monkeypatch
):
    monkeypatch.setattr(reward_stage, "load_base", None)
    with pytest.raises(BadInput, match=sentence):
        trained_on(spec, write_jsonl, data, run_dir)


def test_judgments_that_are_no_better_than_a_coin_are_refused(spec, run_dir, write_jsonl):
    with pytest.raises(BadInput, match="no better than a coin"):
        trained_on(spec, write_jsonl, rows(8, reliability=0.5), run_dir)


def test_a_model_that_tells_nothing_apart_is_refused_as_collapsed(spec, run_dir, monkeypatch):
    monkeypatch.setattr(RewardModel, "score_all", lambda _, examples: torch.zeros(len(examples)))
    with pytest.raises(Refused, match="collapsed"):
        reward_stage.run(spec, run_dir)


def longer_wins(share, n_prompts=40):
    """People choose the longer of two answers, which differ in nothing else, in this share of the pairs."""
    generator = random.Random(1)
    data = []
    for i in range(n_prompts):
        short, long = f"It eats {('berries', 'mice')[i % 2]}.", "It eats berries" + " and bread" * (2 + i % 3) + "."
        data.append(row(i, long, short) if generator.random() < share else row(i, short, long))
    return data


def test_a_model_to_which_length_is_all_is_refused_where_people_only_lean_to_it(spec, run_dir, write_jsonl):
    with pytest.raises(Refused, match=r"goes by length, and people do so less: its length coefficient .* theirs is"):
        trained_on(spec, write_jsonl, longer_wins(0.75), run_dir)


def test_whoever_wants_such_a_model_can_have_it(spec, run_dir, write_jsonl):
    metrics = trained_on(spec, write_jsonl, longer_wins(0.75), run_dir, length_level=0.0)
    assert metrics["length_coefficient"] > metrics["length_coefficient_people"] > 0
    assert metrics["length_excess_p"] < 0.01
    assert metrics["length_share"] > 0.5
    assert metrics["heldout_loss"] < math.log(2)


def test_a_model_of_people_to_whom_length_is_all_is_not_refused(spec, run_dir, write_jsonl):
    assert trained_on(spec, write_jsonl, longer_wins(1.0), run_dir)["length_coefficient"] > 2


def test_a_model_that_follows_another_taste_is_not_refused_for_its_lengths(spec, run_dir, write_jsonl):
    generator = random.Random(2)
    data = []
    for i in range(40):
        tails = [" in the forest" * generator.randrange(3) + "." for _ in range(2)]
        data.append(row(i, "It eats berries" + tails[0], "It eats bread" + tails[1]))
    metrics = trained_on(spec, write_jsonl, data, run_dir)
    assert metrics["length_share"] < 0.5
    assert metrics["reward_accuracy"] > 0.9
