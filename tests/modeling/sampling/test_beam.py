import pytest
import torch
from transformers import GenerationConfig

from modeling.errors import BadInput, Refused
from modeling.sampling.beam import BeamSettings
from modeling.sampling.sampler import Sampler

PROMPTS = [[7, 8, 9], [10, 11, 12, 20], [14, 15], [40]]


@pytest.fixture
def sampler(tiny_llama, tokenizer, cpu):
    with torch.no_grad():  # some answers end, some do not: every branch of the search is taken
        tiny_llama.model.embed_tokens.weight.mul_(12)
        tiny_llama.model.embed_tokens.weight[tokenizer.eos_token_id] *= 1.5
    return Sampler(tiny_llama, tokenizer, cpu)


@pytest.mark.parametrize(("num_beams", "length_penalty"), [(1, 1.0), (2, 1.0), (4, 1.0), (4, 0.0), (4, -1.0), (5, 2.0)])
def test_beams_are_those_of_generate(sampler, tokenizer, num_beams, length_penalty):
    settings = BeamSettings(max_new_tokens=15, num_beams=num_beams, length_penalty=length_penalty, logprobs=True)
    peer = GenerationConfig(
        max_new_tokens=15, do_sample=False, num_beams=num_beams, length_penalty=length_penalty,
        num_return_sequences=num_beams, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip
    for prompt, ours in zip(PROMPTS, sampler.beam_search(PROMPTS, settings), strict=True):
        theirs = sampler.model.generate(torch.tensor([prompt]), generation_config=peer)
        for i, answer in enumerate(ours):
            written = answer.completion.token_ids
            sequence = theirs.sequences[i, len(prompt) :].tolist()
            assert sequence[: len(written)] == written
            assert set(sequence[len(written) :]) <= {tokenizer.pad_token_id, tokenizer.eos_token_id}  # its filling
            if num_beams > 1:
                assert answer.score == pytest.approx(float(theirs.sequences_scores[i]), abs=1e-4)
            assert sum(answer.completion.logprobs) / len(written) ** length_penalty == pytest.approx(
                answer.score, abs=1e-4
            )


def test_some_of_these_answers_end_and_some_do_not(sampler):
    found = sampler.beam_search(PROMPTS, BeamSettings(max_new_tokens=15, num_beams=4))
    assert {answer.completion.finish_reason for answers in found for answer in answers} == {"stop", "length"}


def test_a_search_ends_where_the_context_does(sampler):
    (answers,) = sampler.beam_search([[7] * 120], BeamSettings(max_new_tokens=50, num_beams=3, length_penalty=5.0))
    assert max(len(answer.completion.token_ids) for answer in answers) <= 8


@pytest.mark.parametrize(("field", "value"), [("num_beams", 0), ("num_beams", 65), ("length_penalty", float("nan"))])
def test_settings_of_a_search_out_of_range_are_refused(sampler, field, value):
    with pytest.raises(BadInput, match=field):
        sampler.beam_search(PROMPTS, BeamSettings(**{"max_new_tokens": 1, "num_beams": 2, field: value}))


def test_a_search_over_a_diverged_model_is_refused(sampler):
    with torch.no_grad():
        sampler.model.model.norm.weight.fill_(torch.nan)
    with pytest.raises(Refused, match="not finite"):
        sampler.beam_search(PROMPTS, BeamSettings(max_new_tokens=3, num_beams=2))
