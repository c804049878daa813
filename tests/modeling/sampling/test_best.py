import torch

from modeling.sampling.best import mean_logprob, sample_best
from modeling.sampling.decoding import Completion, DecodingSettings
from modeling.sampling.sampler import Sampler

SETTINGS = DecodingSettings(max_new_tokens=6)


def test_the_best_comes_first_and_all_come_with_their_scores(tiny_llama, tokenizer, cpu):
    sampler = Sampler(tiny_llama, tokenizer, cpu)
    prompts, seeds = [[7, 8], [9]], [[1, 2, 3], [4, 5]]
    found = sample_best(
        sampler, prompts, SETTINGS, seeds, lambda examples: torch.tensor([e.answer[0] for e in examples])
    )
    plain = sampler.sample([[7, 8]] * 3 + [[9]] * 2, SETTINGS, [1, 2, 3, 4, 5])
    for answers, expected in zip(found, (plain[:3], plain[3:]), strict=True):
        assert [answer.score for answer in answers] == sorted((item.token_ids[0] for item in expected), reverse=True)
        assert sorted(answer.completion.token_ids for answer in answers) == sorted(item.token_ids for item in expected)


def test_of_equal_answers_the_earlier_is_best(tiny_llama, tokenizer, cpu):
    sampler = Sampler(tiny_llama, tokenizer, cpu)
    (answers,) = sample_best(sampler, [[7, 8]], SETTINGS, [[1, 2, 3]], lambda examples: [0.0] * len(examples))
    assert [answer.completion for answer in answers] == sampler.sample([[7, 8]] * 3, SETTINGS, [1, 2, 3])


def test_a_score_sees_prompt_and_answer(tiny_llama, tokenizer, cpu):
    seen = []
    sample_best(
        Sampler(tiny_llama, tokenizer, cpu), [[7, 8], [9]], SETTINGS, [[1], [2]],
        lambda examples: (seen.extend(example.prompt for example in examples), [0.0, 0.0])[1],
    )  # fmt: skip
    assert seen == [(7, 8), (9,)]


def test_the_mean_log_probability_is_by_token():
    assert mean_logprob(Completion([1, 2], "x", "stop", [-1.0, -3.0])) == -2.0
