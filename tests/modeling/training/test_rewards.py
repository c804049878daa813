import dataclasses

import pytest
import torch

from modeling.data.prompts import Prompt
from modeling.errors import BadInput, Refused
from modeling.flags import spec_from_command
from modeling.model.adapters import new_adapter
from modeling.model.base import load_base
from modeling.model.batching import Example
from modeling.model.logprobs import hidden_states
from modeling.model.reward import reward_model_load, reward_model_new, reward_model_save
from modeling.spec import FileRef, LoraSpec, PPOSpec, RewardSource, RLOOSpec, SpecError
from modeling.training.rewards import Rewards, rewards_load
from modeling.training.rollouts import Answers
from modeling.training.value_features import LONG_ANSWER_TOKENS, value_features, value_width
from tests.modeling.conftest import fill


def prompt(text, answer=""):
    return Prompt(id=text, messages=({"role": "user", "content": text},), group=text, split="", tags=(), answer=answer)


def answers_of(prompts, texts):
    examples = [Example((1, 2), (5 + i, 6)) for i, _ in enumerate(texts)]
    return Answers(prompts, texts, examples, torch.zeros(len(texts)), torch.ones(len(texts), 2), torch.zeros(2, 2))


@pytest.fixture
def load(loud_base, cpu):
    """Load the sources of a specification for some prompts."""

    def load(prompts, *sources, stage=RLOOSpec, **fields):
        model = new_adapter(load_base(loud_base, cpu), LoraSpec(rank=2), seed=1)
        spec = stage(base="base", prompts=FileRef("p"), rewards=sources, **fields)
        return rewards_load(spec, model, prompts, cpu, base_sha256=""), model

    return load


def test_an_answer_is_right_when_its_last_number_is_the_expected_one(load):
    prompts = [prompt("1+1?", "so #### 2"), prompt("2+2?", "4")]
    rewards, _ = load(prompts, RewardSource(answer=True, weight=3.0))
    found = rewards.scores(answers_of(prompts, ["1 and 1 is 2", "3", "five", "It is 4.0"]))
    assert found.tolist() == [3, 0, 0, 3]


def test_sources_add_up_with_their_weights(load, reward_folder, cpu):
    prompts = [prompt("Why?", "4")]
    answers = answers_of(prompts, ["4", "Because 5"])
    sources = [
        RewardSource(model=str(reward_folder), weight=0.5),
        RewardSource(answer=True),
        RewardSource(function="tests.modeling.training.test_rewards:length", weight=-0.25),
    ]
    rewards, model = load(prompts, *sources)
    reward = reward_model_load(model, reward_folder, cpu, base_sha256="", name="again")
    scores = reward.standardised(answers.examples).double()
    assert rewards.scores(answers).tolist() == pytest.approx([
        0.5 * float(scores[0]) + 1 - 0.25 * 1, 0.5 * float(scores[1]) + 0 - 0.25 * 9,
    ])  # fmt: skip


def test_a_value_function_reads_what_the_reward_model_says_of_the_answer_so_far(load, reward_folder):
    sources = [
        RewardSource(function="tests.modeling.training.test_rewards:length"),
        RewardSource(model=str(reward_folder)),
    ]
    rewards, model = load([prompt("Why?")], *sources)
    (reward,) = rewards.models
    answers = Answers(
        [prompt("Why?")], ["so"], [Example((1, 2), (5, 6, 7))], torch.zeros(1), torch.ones(1, 3), torch.zeros(1, 3)
    )
    reference = torch.randn(3, 16)
    features = value_features(model, rewards.models, answers, reference)
    assert features.shape == (3, value_width(16, 1))
    assert torch.equal(features[:, :16], reference)
    assert (features[:, 16] * LONG_ANSWER_TOKENS).tolist() == pytest.approx([0, 1, 2])
    model.set_adapter(reward.name)
    states = hidden_states(model, torch.tensor([[1, 2, 5, 6, 7]]))[0, 1:4]  # before each of the answer's tokens
    torch.testing.assert_close(features[:, 17:33], states, rtol=0, atol=1e-5)
    # The last value and the mean of all are the score of the answer that ends here.
    for n in (1, 2):
        score = float(reward.scores([Example((1, 2), (5, 6, 7)[:n])]).detach()) / reward.std
        assert float(features[n, 33:].sum()) == pytest.approx(score, abs=1e-5)
    assert features[0, 34] == 0


def test_an_ensembles_lower_bound_pays_less_where_its_members_disagree(load, loud_base, tmp_path, cpu):
    members = []
    for seed in (1, 2):
        member = reward_model_new(load_base(loud_base, cpu), LoraSpec(rank=2), cpu, seed=seed)
        fill(member.model, seed)
        members.append(member)
    members[0].further = (members[1],)
    reward_model_save(members[0], tmp_path / "ensemble", base_sha256="")
    prompts = [prompt("Why?")]
    answers = answers_of(prompts, ["a", "b"])
    mean, _ = load(prompts, RewardSource(model=str(tmp_path / "ensemble")))
    low, _ = load(prompts, RewardSource(model=str(tmp_path / "ensemble"), n_std=0.5))
    each = torch.stack([member.standardised(answers.examples) for member in (members[1], only(members[0]))]).double()
    assert mean.scores(answers).tolist() == pytest.approx(each.mean(0).tolist(), rel=1e-4)
    expected = each.mean(0) - 0.5 * (each[0] - each[1]).abs() / 2
    assert low.scores(answers).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def only(member):
    member.further = ()
    return member


def test_one_model_has_no_disagreement_to_take_off(load, reward_folder):
    with pytest.raises(BadInput, match="is one reward model: n_std needs an ensemble"):
        load([prompt("Why?")], RewardSource(model=str(reward_folder), n_std=1.0))


def length(_prompt, text):
    return float(len(text))


def test_one_reward_model_by_its_folder_is_the_same_as_a_list_of_it(load, reward_folder):
    prompts, texts = [prompt("Why?")], ["a", "b"]
    alone, _ = load(prompts, reward=str(reward_folder), stage=PPOSpec)
    listed, _ = load(prompts, RewardSource(model=str(reward_folder)))
    answers = answers_of(prompts, texts)
    assert alone.scores(answers).tolist() == listed.scores(answers).tolist()


def test_prompts_without_an_expected_number_cannot_be_checked(load):
    with pytest.raises(BadInput, match="The prompt Why\\? has no 'answer' with a number"):
        load([prompt("1?", "1"), prompt("Why?")], RewardSource(answer=True))


def test_a_reward_that_is_not_a_number_ends_the_training():
    rewards = Rewards([(1.0, lambda answers: torch.tensor([1.0, float("nan")]))])
    with pytest.raises(Refused, match="not a finite number"):
        rewards.scores(answers_of([prompt("Why?")], ["a", "b"]))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "name one reward model"),
        ({"reward": "a", "rewards": (RewardSource(answer=True),)}, "name one reward model"),
        ({"rewards": (RewardSource(),)}, "each names one of model, function and answer"),
        ({"rewards": (RewardSource(model="a", answer=True),)}, "each names one of"),
        ({"rewards": (RewardSource(function="math.sin"),)}, "written as module:function"),
        ({"rewards": (RewardSource(model="a", weight=101.0),)}, "weight must be in"),
        ({"rewards": (RewardSource(answer=True, n_std=1.0),)}, "n_std needs a model"),
    ],
    ids=str,
)
@pytest.mark.parametrize("stage", [RLOOSpec, PPOSpec])
def test_sources_that_make_no_sense_are_refused(stage, fields, reason):
    with pytest.raises(SpecError, match=reason):
        stage(base="base", prompts=FileRef("p"), **fields).validate()


def test_sources_are_given_on_the_command_line_as_json(run_dir, write_jsonl):
    prompts = write_jsonl([{"id": "p", "messages": [{"role": "user", "content": "Why?"}]}])
    flags = ["--base", "b", "--prompts", prompts.path, "--rewards", '{"model": "m", "weight": 0.5}', '{"answer": true}']
    spec = spec_from_command("rloo", flags, run_dir)
    assert isinstance(spec, RLOOSpec)
    assert spec.rewards == (RewardSource(model="m", weight=0.5), RewardSource(answer=True))
    assert RLOOSpec.from_json(spec.to_json()) == spec
    assert dataclasses.replace(spec, rewards=()) != spec
