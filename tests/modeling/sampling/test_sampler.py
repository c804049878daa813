import pytest
import torch
from transformers import GenerationConfig, MistralConfig, MistralForCausalLM

from modeling.errors import BadInput, Refused
from modeling.model.adapters import new_adapter
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.draft import Draft
from modeling.sampling.grouping import group_rows
from modeling.sampling.lane import take_in_turn
from modeling.sampling.sampler import Sampler
from modeling.spec import LoraSpec
from tests.modeling.test_adapters import train_a_little

PROMPTS = [[7, 8, 9], [10, 11, 12], [7, 8, 9, 13], [14, 15], [7, 8, 9]]
SETTINGS = DecodingSettings(max_new_tokens=12)


@pytest.fixture
def sampler(tiny_llama, tokenizer, cpu):
    with torch.no_grad():  # random weights of this scale would all but give a uniform distribution
        tiny_llama.model.embed_tokens.weight.mul_(30)
    return Sampler(tiny_llama, tokenizer, cpu)


def tokens_of(completions):
    return [completion.token_ids for completion in completions]


def test_greedy_equals_generate_token_for_token(sampler, tokenizer):
    completions = sampler.sample(PROMPTS, DecodingSettings(max_new_tokens=20, temperature=0), seeds=range(5))
    greedy = GenerationConfig(
        max_new_tokens=20, do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    for prompt, completion in zip(PROMPTS, completions, strict=True):
        whole = sampler.model.generate(torch.tensor([prompt]), generation_config=greedy)
        assert completion.token_ids == whole[0, len(prompt) :].tolist()


def test_the_same_prompt_and_seed_give_the_same_answer_in_any_batch(sampler):
    prompts, seeds = PROMPTS * 20, list(range(100))
    together = tokens_of(sampler.sample(prompts, SETTINGS, seeds))
    backwards = tokens_of(sampler.sample(prompts[::-1], SETTINGS, seeds[::-1]))[::-1]
    alone = [
        sampler.sample([prompt], SETTINGS, [seed])[0].token_ids for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    assert together == backwards == alone
    assert len({tuple(tokens) for tokens in together}) > 50


def test_sampling_ignores_and_spares_the_global_generator(sampler):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = sampler.sample(PROMPTS, SETTINGS, seeds=range(5))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert sampler.sample(PROMPTS, SETTINGS, seeds=range(5)) == first


def test_log_probabilities_are_those_of_a_full_forward(sampler):
    settings = DecodingSettings(max_new_tokens=12, temperature=0.7, top_k=20, logprobs=True)
    for prompt, completion in zip(PROMPTS, sampler.sample(PROMPTS, settings, seeds=range(5)), strict=True):
        whole = torch.tensor([prompt + completion.token_ids])
        logprobs = torch.log_softmax(sampler.model(whole).logits[0, len(prompt) - 1 : -1], -1)
        expected = logprobs.gather(-1, torch.tensor(completion.token_ids)[:, None]).squeeze(-1)
        assert torch.allclose(torch.tensor(completion.logprobs), expected, atol=1e-4)


def test_an_answer_ends_by_a_stop_token_or_at_its_length(sampler):
    first = sampler.sample([[7, 8, 9]], SETTINGS, [3])[0]
    assert first.finish_reason == "length"
    assert len(first.token_ids) == 12
    stop = first.token_ids[4]
    settings = DecodingSettings(max_new_tokens=12, stop_token_ids=(stop,))
    second = sampler.sample([[7, 8, 9]], settings, [3])[0]
    assert second.finish_reason == "stop"
    assert second.token_ids == first.token_ids[: first.token_ids.index(stop) + 1]


def test_a_stop_text_cuts_the_text_before_it(sampler):
    whole = sampler.sample([[7, 8, 9]], SETTINGS, [3])[0]
    stop = whole.text[3:5]
    cut = sampler.sample([[7, 8, 9]], DecodingSettings(max_new_tokens=12, stop=(stop,)), [3])[0]
    assert cut.finish_reason == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.token_ids == whole.token_ids[: len(cut.token_ids)]


def test_an_answer_is_cut_where_the_context_ends(sampler):
    prompt = [7] * 120
    completion = sampler.sample([prompt], DecodingSettings(max_new_tokens=50), [0])[0]
    assert len(completion.token_ids) <= 8


@pytest.mark.parametrize(
    ("prompts", "seeds", "reason"),
    [([[7] * 128], [0], "128 tokens"), ([[]], [0], "empty"), ([[7]], [], "as many seeds")],
)
def test_prompts_that_cannot_be_answered_are_refused_by_number(sampler, prompts, seeds, reason):
    with pytest.raises(BadInput, match=reason):
        sampler.sample(prompts, SETTINGS, seeds)


def test_a_model_that_has_diverged_is_refused(sampler):
    with torch.no_grad():
        sampler.model.model.norm.weight.fill_(torch.nan)
    with pytest.raises(Refused, match="not finite"):
        sampler.sample(PROMPTS, SETTINGS, seeds=range(5))


def test_an_active_adapter_is_sampled_from_and_left_trainable(sampler, tokenizer, cpu):
    base = sampler.sample(PROMPTS, SETTINGS, seeds=range(5))
    adapted = train_a_little(new_adapter(sampler.model, LoraSpec(rank=4), seed=0)).train()
    weights = {name: weight.clone() for name, weight in adapted.state_dict().items()}
    settings = DecodingSettings(max_new_tokens=12, logprobs=True)
    completions = Sampler(adapted, tokenizer, cpu).sample(PROMPTS, settings, seeds=range(5))
    assert tokens_of(completions) != tokens_of(base)
    whole = torch.tensor([PROMPTS[0] + completions[0].token_ids])
    logprobs = torch.log_softmax(adapted(whole).logits[0, 2:-1], -1)
    expected = logprobs.gather(-1, whole[0, 3:, None]).squeeze(-1)
    assert torch.allclose(torch.tensor(completions[0].logprobs), expected, atol=1e-4)
    assert adapted.training
    assert all(torch.equal(weight, weights[name]) for name, weight in adapted.state_dict().items())
    expected.sum().backward()


def test_progress_and_tokens_are_told_as_they_come(sampler):
    progress, streamed = [], {row: [] for row in range(5)}
    completions = sampler.sample(
        PROMPTS, SETTINGS, range(5), on_progress=lambda done, total: progress.append((done, total)),
        on_token=lambda row, token: streamed[row].append(token),
    )  # fmt: skip
    assert progress == [(5, 5)]
    assert list(streamed.values()) == tokens_of(completions)


def test_groups_hold_rows_of_one_prompt_side_by_side_and_of_one_length_where_nothing_may_be_padded():
    prompts = [[1, 2]] * 3 + [[1]] + [[3, 4]] * 2
    assert list(group_rows(prompts, max_rows=4, may_pad=False)) == [[3], [0, 1, 2], [4, 5]]
    assert list(group_rows(prompts)) == [[3, 0, 1, 2, 4, 5]]


def test_prompts_of_very_different_length_never_share_a_group():
    lengths = (170, 10, 30, 100)
    assert list(group_rows([[1] * n for n in lengths])) == [[1, 2], [3], [0]]


def test_many_rows_make_an_even_number_of_groups_so_that_two_cores_end_together():
    assert [len(group) for group in group_rows([[1]] * 192)] == [192]
    assert [len(group) for group in group_rows([[1]] * 1_200)] == [150] * 8


def test_a_padded_batch_answers_as_each_prompt_alone_up_to_the_end_of_its_context(sampler):
    prompts = [[7 + n % 50] * n for n in range(90, 127, 3)]
    settings = DecodingSettings(max_new_tokens=20)
    together = sampler.sample(prompts, settings, seeds=range(len(prompts)))
    alone = [sampler.sample([prompt], settings, [seed])[0] for seed, prompt in enumerate(prompts)]
    assert together == alone
    assert [len(item.token_ids) for item in together if item.finish_reason == "length"][-1] == 128 - 126


EVERYTHING = DecodingSettings(
    max_new_tokens=40, temperature=0.8, top_k=100, top_p=0.95, min_p=0.01, repetition_penalty=1.3, logprobs=True,
    bad_words=((7,), (8, 9), (10, 11, 12)), stop_token_ids=tuple(range(100, 112)),
)  # fmt: skip


@pytest.mark.parametrize("steps_per_look", [1, 5])
@pytest.mark.parametrize("settings", [SETTINGS, EVERYTHING])
def test_an_answer_does_not_depend_on_who_leaves_and_joins_its_batch(sampler, settings, steps_per_look):
    prompts = [[7 + n % 50] * (1 + n * 7 % 23) for n in range(30)]
    alone = [sampler.sample([prompt], settings, [seed])[0] for seed, prompt in enumerate(prompts)]
    drafts = [sampler.draft(prompt, seed, settings) for seed, prompt in enumerate(prompts)]
    sampler._cached.steps_per_look = steps_per_look
    joined = []

    def take(n_free, width):
        taken = [draft for draft in drafts if draft not in joined][: min(n_free, 5)]
        joined.extend(taken)
        sizes.append((len(taken), width))
        return taken

    sizes = []
    sampler.run([take], settings, max_rows=16)
    assert [width > 0 for n_taken, width in sizes if n_taken].count(True) > 2
    for draft, expected in zip(drafts, alone, strict=True):
        completion = draft.completion(sampler.tokenizer, settings)
        assert completion.token_ids == expected.token_ids
        assert completion.finish_reason == expected.finish_reason
        if settings.logprobs:
            assert completion.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


def test_rows_are_taken_in_turn_while_they_are_not_much_longer_than_those_that_run():
    drafts = [Draft((1,) * n, 0, 5) for n in (3, 4, 5, 40, 41)]
    take = take_in_turn(drafts)
    assert take(2, 0) == drafts[:2]
    assert take(9, 6) == drafts[2:3]
    assert take(9, 6) == []
    assert take(9, 0) == drafts[3:]
    assert take(9, 0) == []


def test_a_base_with_sliding_windows_is_sampled_without_padding(tokenizer, cpu):
    config = MistralConfig(
        vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, sliding_window=6, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    model = MistralForCausalLM(config)
    completions = Sampler(model, tokenizer, cpu).sample(
        PROMPTS, DecodingSettings(max_new_tokens=12, temperature=0), range(5)
    )
    greedy = GenerationConfig(
        max_new_tokens=12, do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    for prompt, completion in zip(PROMPTS, completions, strict=True):
        whole = model.generate(torch.tensor([prompt]), generation_config=greedy)
        assert completion.token_ids == whole[0, len(prompt) :].tolist()


@pytest.mark.parametrize("field", ["max_new_tokens", "top_p"])
def test_settings_out_of_range_are_refused(sampler, field):
    with pytest.raises(BadInput, match=field):
        sampler.sample(PROMPTS, DecodingSettings(**{"max_new_tokens": 1, field: 0}), seeds=range(5))
