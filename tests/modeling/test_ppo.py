import copy
import dataclasses
import math
import random

import pytest
import torch
from safetensors.torch import load_file

from modeling.data.chat import encode_prompt
from modeling.data.prompts import read_prompts
from modeling.errors import BadInput, Refused, Stopped
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.batching import Example
from modeling.model.logprobs import answer_logprobs
from modeling.model.recomputing import activations_recomputed
from modeling.model.reward import RewardModel, reward_model_new, reward_model_save
from modeling.rundir import RunDir
from modeling.sampling.sampler import Sampler
from modeling.spec import LoraSpec, PPOSpec, SpecError
from modeling.training import ppo
from modeling.training.experience import tokens_spread
from modeling.training.mix import PretrainingMix
from modeling.training.reference import reference_read
from modeling.training.rollouts import POLICY, PromptPool, answers_sample
from modeling.training.state import trainable_parameters
from modeling.training.tokenizer import save_tokenizer
from modeling.training.value import ValueHead
from tests.modeling.conftest import fill, make_tiny_llama, read_events
from tests.modeling.stopping import StoppingRunDir, folder_bytes

ARMS = [40, 41, 42, 43]
BANDIT_PROMPT = [{"role": "user", "content": "Which?"}]


@pytest.fixture
def spec(loud_base, reward_folder, write_jsonl):
    prompts = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(6)]
    return PPOSpec(
        base=str(loud_base),
        reward=str(reward_folder),
        prompts=write_jsonl(prompts, "prompts.jsonl"),
        lora=LoraSpec(rank=2, alpha=4),
        n_steps=4,
        prompts_per_step=3,
        samples_per_prompt=4,
        max_new_tokens=6,
        value_warmup_steps=1,
        ppo_epochs=2,
        kl_target_nats=0.0,
        learning_rate=2e-2,
        value_learning_rate=2e-2,
        cut_penalty=0.0,
        seed=3,
    )


@pytest.fixture
def mixed(spec, write_jsonl):
    """The specification with everything on that keeps state or draws."""
    texts = write_jsonl(
        [{"text": f"The red fox number {i} lives in the old forest."} for i in range(60)], "texts.jsonl"
    )
    return dataclasses.replace(spec, mix=(texts,), mix_coef=0.5, mix_batch_size=2, kl_target_nats=0.1)


def step_metrics(run):
    return [event["values"] for event in read_events(run) if event["type"] == "metrics"]


def weights(run):
    return load_file(run.artifact("adapter") / "adapter_model.safetensors")


def zero_scores(_reward, examples):
    return torch.zeros(len(examples))


@pytest.fixture
def bandit(spec, tokenizer, tmp_path, cpu, write_jsonl):
    """One prompt whose answers are one token, nearly always one of `ARMS`; any distribution over them is reachable.

    The last token of the prompt points at all four, each of which has a direction of its own in the embedding.
    """
    last = encode_prompt(tokenizer, BANDIT_PROMPT)[-1]
    base = make_tiny_llama(tokenizer)
    with torch.no_grad():
        embedding = base.get_input_embeddings().weight
        embedding[:, : len(ARMS)] = 0
        embedding[ARMS] = 5 * torch.eye(len(ARMS), embedding.shape[1])
        embedding[last] = 0.05 * torch.eye(len(ARMS), embedding.shape[1]).sum(0)
    base.save_pretrained(tmp_path / "base")
    save_tokenizer(tokenizer, tmp_path / "base")
    reward = reward_model_new(base, spec.lora, cpu, seed=1)
    reward_model_save(reward, tmp_path / "reward", base_sha256=base_sha256(tmp_path / "base"))
    return dataclasses.replace(
        spec, base=str(tmp_path / "base"), reward=str(tmp_path / "reward"),
        prompts=write_jsonl([{"id": "p", "messages": BANDIT_PROMPT}], "prompt.jsonl"), prompts_per_step=1,
        samples_per_prompt=64, max_new_tokens=1, minibatches=1, n_steps=25, value_warmup_steps=2, kl_coef=0.5,
        normalise_rewards=False, learning_rate=3e-3,
    )  # fmt: skip


def next_token_probabilities(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0, -1].double().softmax(-1)


@pytest.mark.slow
def test_a_bandit_converges_to_its_known_optimum(bandit, run_dir, tokenizer, cpu, monkeypatch):
    rewards = torch.zeros(len(tokenizer), dtype=torch.float64)
    rewards[ARMS] = torch.tensor([1.0, 0.5, 0.0, 0.0], dtype=torch.float64)
    monkeypatch.setattr(
        RewardModel, "standardised", lambda _, examples: rewards[[example.answer[0] for example in examples]]
    )
    ppo.run(bandit, run_dir)
    ids = encode_prompt(tokenizer, BANDIT_PROMPT)
    model = load_adapter(load_base(bandit.base, cpu), run_dir.artifact("adapter"))
    policy = next_token_probabilities(model, ids)
    with model.disable_adapter():
        reference = next_token_probabilities(model, ids)
    # Reward - kl_coef * KL is largest for the reference tilted by exp(reward / kl_coef).
    best = reference * torch.exp(rewards / bandit.kl_coef)
    best /= best.sum()
    assert float((best - reference).abs().sum()) / 2 > 0.3
    assert float((best - policy).abs().sum()) / 2 < 0.05


@pytest.mark.slow
def test_a_large_kl_coefficient_keeps_the_policy_at_its_reference(spec, tmp_path):
    kl = {}
    for kl_coef in (10.0, 0.0):
        run = RunDir(tmp_path / f"{kl_coef:g}")
        ppo.run(dataclasses.replace(spec, n_steps=20, value_warmup_steps=0, kl_coef=kl_coef), run)
        kl[kl_coef] = sum(step["kl_nats"] for step in step_metrics(run)[-5:]) / 5
    assert abs(kl[10.0]) <= 0.05
    assert kl[0.0] > 0.05


def test_without_reward_nothing_drifts(spec, run_dir, monkeypatch):
    monkeypatch.setattr(RewardModel, "standardised", zero_scores)
    before = {}
    train = ppo.PPOTraining.train

    def remembering(training):
        before.update(copy.deepcopy(training.policy | training.value.parameters))
        figures = train(training)
        for name, parameter in (training.policy | training.value.parameters).items():
            torch.testing.assert_close(parameter, before[name], rtol=0, atol=1e-6)
        return figures

    monkeypatch.setattr(ppo.PPOTraining, "train", remembering)
    figures = ppo.run(dataclasses.replace(spec, value_warmup_steps=0), run_dir)
    assert before
    assert figures["final_policy_steps"] == 4
    assert figures["final_kl_nats"] == pytest.approx(0, abs=1e-6)


def test_the_same_seed_gives_the_same_bytes_also_across_a_stop(mixed, tmp_path):
    whole, again = RunDir(tmp_path / "whole"), RunDir(tmp_path / "again")
    ppo.run(mixed, whole)
    ppo.run(mixed, again)
    with pytest.raises(Stopped, match="step 2 of 4"):
        ppo.run(mixed, StoppingRunDir(tmp_path / "first", after_steps=2))
    second = RunDir(tmp_path / "second", resume_from=[tmp_path / "first"])
    ppo.run(mixed, second)
    assert step_metrics(second) == step_metrics(whole)[2:]
    for run in (again, second):
        assert folder_bytes(run.artifact("adapter")) == folder_bytes(whole.artifact("adapter"))


def test_a_checkpoint_of_another_training_is_bad_input(mixed, tmp_path):
    with pytest.raises(Stopped):
        ppo.run(mixed, StoppingRunDir(tmp_path / "first", after_steps=2))
    other = dataclasses.replace(mixed, lora=LoraSpec(rank=4, alpha=4))
    with pytest.raises(BadInput, match="checkpoint of another training: start this one in a new folder"):
        ppo.run(other, RunDir(tmp_path / "second", resume_from=[tmp_path / "first"]))


def test_a_run_reports_what_a_person_needs_to_judge_it(mixed, run_dir):
    ppo.run(dataclasses.replace(mixed, value_warmup_steps=2), run_dir)
    steps = step_metrics(run_dir)
    assert steps[0].keys() == {
        "reward", "kl_nats", "entropy", "explained_variance", "mean_tokens", "cut_share", "kl_coef", "policy_loss",
        "update_kl_nats", "clip_share", "grad_norm", "mix_loss", "policy_steps", "value_loss", "value_grad_norm",
    }  # fmt: skip
    assert 1 < steps[0]["entropy"] < math.log(300)
    assert any(event["type"] == "message" and "best of 12" in event["text"] for event in read_events(run_dir))
    # While the value function warms up, policy and coefficient rest; then the coefficient falls: no KL is too little.
    assert [step["policy_steps"] for step in steps[:2]] == [0, 0]
    assert [step["kl_nats"] for step in steps[:3]] == pytest.approx([0, 0, 0], abs=1e-6)
    assert steps[0]["value_loss"] > 0
    assert [step["kl_coef"] for step in steps[:3]] == [mixed.kl_coef] * 3
    assert steps[3]["kl_coef"] == pytest.approx(mixed.kl_coef * 0.95)
    assert steps[2]["policy_steps"] == 4
    assert 0 < steps[2]["mix_loss"] < 20


def test_an_update_stops_where_the_policy_is_too_far_from_the_one_that_wrote_the_answers(spec, run_dir):
    ppo.run(dataclasses.replace(spec, stop_kl_nats=2e-3, learning_rate=0.2, n_steps=3), run_dir)
    assert all(step["policy_steps"] < 4 for step in step_metrics(run_dir))
    assert any(step["policy_steps"] > 0 for step in step_metrics(run_dir))


@pytest.mark.parametrize("change", [{"tokens_per_pass": 40}, {"recompute_activations": True}], ids=str)
def test_neither_accumulation_nor_recomputation_changes_what_is_learnt(spec, tmp_path, change):
    spec = dataclasses.replace(spec, n_steps=2, learning_rate=1e-3)
    plain, changed = RunDir(tmp_path / "plain"), RunDir(tmp_path / "changed")
    ppo.run(spec, plain)
    ppo.run(dataclasses.replace(spec, **change), changed)
    found, expected = weights(changed), weights(plain)
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=5e-4)  # where a GPU or CPU multiplies in bfloat16


def test_the_saved_adapter_holds_the_policy_alone(spec, run_dir):
    ppo.run(spec, run_dir)
    keys = weights(run_dir).keys()
    assert keys
    assert all(key.startswith("base_model.model.model.layers.") for key in keys)


def test_a_value_function_begins_at_zero_and_learns_from_what_it_is_shown(cpu):
    value = ValueHead(16, cpu, seed=1)
    features = torch.randn(50, 16, generator=torch.Generator().manual_seed(1))
    assert value.values(features).tolist() == [0] * 50
    optimizer = torch.optim.AdamW(list(value.parameters.values()), lr=3e-2)
    for _ in range(100):
        loss = ((value.values(features) - features[:, 0] * features[:, 1]) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss < 0.05


def test_each_token_gets_the_value_that_was_read_before_it():
    mask = torch.tensor([[True, True, False], [True, False, False], [True, True, True]])
    found = tokens_spread(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), mask)
    assert found.tolist() == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]


def test_what_the_sampler_drew_by_is_what_the_policy_and_its_reference_say(spec, loud_base, tokenizer, cpu):
    model = new_adapter(load_base(loud_base, cpu), spec.lora, seed=1)
    fill(model, 1)
    prompts = list(read_prompts(spec.prompts))
    pool = PromptPool(prompts, [tuple(encode_prompt(tokenizer, prompt.messages)) for prompt in prompts], 0)
    answers = answers_sample(spec, Sampler(model, tokenizer, cpu), pool, [0, 1], random.Random(1))
    policy, states = reference_read(model, POLICY, answers)
    torch.testing.assert_close(answers.logprobs, policy, rtol=0, atol=1e-4)
    assert states.shape == (answers.n_tokens, 16)
    base, _ = reference_read(model, None, answers)
    for row, example in enumerate(answers.examples):
        with model.disable_adapter(), torch.no_grad():
            said = model(input_ids=torch.tensor([example.tokens])).logits[0].log_softmax(-1)
        expected = [float(said[len(example.prompt) + i - 1, token]) for i, token in enumerate(example.answer)]
        assert base[row, : len(expected)].tolist() == pytest.approx(expected, abs=1e-4)
        assert not base[row, len(expected) :].any()


@pytest.fixture
def two_adapters(loud_base, cpu):
    """Two policies with arbitrary weights on one base."""
    model = new_adapter(load_base(loud_base, cpu), LoraSpec(rank=2, alpha=4), seed=1)
    model = new_adapter(model, LoraSpec(rank=2, alpha=4), name="other", seed=2)
    for seed, name in enumerate((POLICY, "other")):
        model.set_adapter(name)
        fill(model, seed)
    return model.eval()


def test_recomputing_layers_gives_the_gradients_of_the_adapter_that_computed_them(two_adapters, cpu):
    model, examples = two_adapters, [Example((1, 7, 8), (20, 21, 5)), Example((1,), (9,))]
    calls = []
    model.get_base_model().model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))

    def gradients(name):
        model.set_adapter(name)
        parameters = [parameter for own, parameter in model.named_parameters() if f".{name}." in own]
        return torch.autograd.grad(answer_logprobs(model, examples, cpu).sum(), parameters)

    for name in (POLICY, "other"):
        calls.clear()
        expected = gradients(name)
        with activations_recomputed(model, enabled=True):
            found = gradients(name)
        assert len(calls) == 3  # once without, twice with recomputation
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other)
    assert not any(module.training for module in model.modules())


def test_recomputing_under_another_adapter_stops_instead_of_mixing(two_adapters, cpu):
    two_adapters.set_adapter("other")
    with activations_recomputed(two_adapters, enabled=True):
        logprobs = answer_logprobs(two_adapters, [Example((1, 7), (20, 21))], cpu)
        two_adapters.set_adapter(POLICY)
        with pytest.raises(AssertionError, match="computed under 'other', recomputed under 'default'"):
            logprobs.sum().backward()


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
        changes = {"adapter": str(start), "reference": reference, "n_steps": 1, "value_warmup_steps": 0}
        ppo.run(dataclasses.replace(spec, **changes), run)
        kl[reference] = step_metrics(run)[0]["kl_nats"]
    assert kl["adapter"] == pytest.approx(0, abs=1e-5)
    assert kl["base"] > 0.05


def test_a_figure_that_is_not_finite_is_divergence(spec, run_dir, monkeypatch):
    monkeypatch.setattr(ppo, "clipped_value_loss", lambda values, *_, **__: values.sum() * float("nan"))
    with pytest.raises(Refused, match="value_grad_norm, value_loss not finite"):
        ppo.run(spec, run_dir)


def test_held_out_prompts_are_never_trained_on(spec, run_dir, write_jsonl):
    rows = [{"id": "h", "split": "heldout", "messages": [{"role": "user", "content": "Why?"}]}]
    with pytest.raises(BadInput, match="held out"):
        ppo.run(dataclasses.replace(spec, prompts=write_jsonl(rows), prompts_per_step=1), run_dir)


def test_too_little_text_to_mix_in_is_bad_input(spec, run_dir, write_jsonl):
    texts = write_jsonl([{"text": "One."}], "texts.jsonl")
    with pytest.raises(BadInput, match="give more text"):
        ppo.run(dataclasses.replace(spec, mix=(texts,), mix_coef=1.0), run_dir)


def test_the_mix_adds_the_weighted_gradient_of_the_mean_loss(mixed, loud_base, tokenizer, cpu):
    model = new_adapter(load_base(loud_base, cpu), LoraSpec(rank=2, alpha=4), seed=1)
    fill(model, 1)
    parameters = trainable_parameters(model)
    mix = PretrainingMix(dataclasses.replace(mixed, mix_batch_size=3), model, tokenizer, cpu, context=32)
    mix.rows_per_part = 2
    found = mix.backward(parameters, 5)
    gradients = {name: parameter.grad.clone() for name, parameter in parameters.items()}
    model.zero_grad()
    ids = torch.from_numpy(mix.windows.batch(5, 3))
    logits = model(input_ids=ids[:, :-1]).logits
    expected = -logits.log_softmax(-1).gather(2, ids[:, 1:].unsqueeze(2)).mean()
    (0.5 * expected).backward()
    assert found == pytest.approx(expected.item(), rel=1e-5)
    for name, parameter in parameters.items():
        torch.testing.assert_close(gradients[name], parameter.grad)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lora": LoraSpec(dropout=0.1)}, "dropout must be 0"),
        ({"mix_coef": 1.0}, "mix and mix_coef belong together"),
        ({"kl_target_nats": 6.0, "kl_coef": 0.0}, "needs a kl_coef above 0"),
        ({"value_warmup_steps": 4}, "less than n_steps"),
        ({"minibatches": 13}, "number of answers"),
        ({"reference": "adapter"}, "needs an adapter"),
    ],
    ids=str,
)
def test_a_specification_that_makes_no_sense_is_refused(spec, change, message):
    with pytest.raises(SpecError, match=message):
        dataclasses.replace(spec, **change).validate()
