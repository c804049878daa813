"""Each option against transformers' own processor, which computes it independently."""

import pytest
import torch
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from modeling.sampling.choosing import choose_tokens
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.processors import BadWords, RepetitionPenalty, processors_for

B, V = 40, 60
CPU = torch.device("cpu")


def random_logits(seed=0):
    return torch.randn(B, V, generator=torch.Generator().manual_seed(seed)) * 3


def random_tokens(length, seed=0):
    return torch.randint(V, (B, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("options", "peers"),
    [
        ({"min_p": 0.1}, [MinPLogitsWarper(0.1)]),
        ({"top_k": 7}, [TopKLogitsWarper(7)]),
        ({"top_p": 0.8}, [TopPLogitsWarper(0.8)]),
        ({"temperature": 2.0, "min_p": 0.3}, [TemperatureLogitsWarper(2.0), MinPLogitsWarper(0.3)]),
        (
            {"temperature": 0.7, "top_k": 20, "top_p": 0.9, "min_p": 0.05},
            [TemperatureLogitsWarper(0.7), TopKLogitsWarper(20), TopPLogitsWarper(0.9), MinPLogitsWarper(0.05)],
        ),
    ],
)
def test_tokens_are_drawn_from_the_distribution_that_transformers_warpers_leave(options, peers):
    logits = random_logits()
    expected = logits
    for peer in peers:
        expected = peer(None, expected)
    probs = torch.softmax(expected.double(), -1)
    n = 2_000
    uniforms = (torch.arange(n, dtype=torch.float64) + 0.5) / n  # an even grid, so counts follow the distribution
    settings = DecodingSettings(max_new_tokens=1, **options)
    for row in range(10):
        tokens = choose_tokens(logits[row].expand(n, -1), uniforms, settings)
        shares = torch.bincount(tokens, minlength=V).double() / n
        assert (shares - probs[row]).abs().max() < 1.5 / n
        assert set(tokens.tolist()) <= set(probs[row].nonzero().flatten().tolist())


@pytest.mark.parametrize("penalty", [0.7, 1.3, 2.0])
def test_the_repetition_penalty_is_that_of_transformers_over_prompt_and_answer(penalty):
    prompts, answer, logits = random_tokens(5), random_tokens(4, seed=1), random_logits()
    ours = RepetitionPenalty(penalty, prompts.tolist(), V, CPU)
    for tokens in answer.T:
        ours.append(tokens)
    peer = RepetitionPenaltyLogitsProcessor(penalty)
    assert torch.equal(ours.process(logits), peer(torch.cat([prompts, answer], 1), logits))


def test_bad_words_are_those_of_transformers():
    answer, logits = random_tokens(6), random_logits()
    words = [[3], [59], *[[int(answer[row, -1]), row % V] for row in range(5)], *[
        [*answer[row, -3:].tolist(), (row * 7) % V] for row in range(5, 10)
    ], [1, 2, 3, 4, 5, 6, 7, 8, 9]]  # fmt: skip
    ours = BadWords(words, B, CPU)
    for tokens in answer.T:
        ours.append(tokens)
    banned = ours.process(logits)
    assert torch.equal(banned, NoBadWordsLogitsProcessor(words, eos_token_id=V + 1)(answer, logits.clone()))
    assert 2 * B < banned.isinf().sum() < 3 * B


def test_a_bad_word_counts_within_the_answer_alone():
    words = BadWords([[5, 6]], 1, CPU)
    assert not words.process(torch.zeros(1, V)).isinf().any()
    words.append(torch.tensor([5]))
    assert words.process(torch.zeros(1, V)).isinf().nonzero().tolist() == [[0, 6]]
    words.append(torch.tensor([9]))
    assert not words.process(torch.zeros(1, V)).isinf().any()


def test_processors_follow_their_rows():
    settings = DecodingSettings(max_new_tokens=1, repetition_penalty=2.0, bad_words=((1, 2), (3,)))
    both = processors_for(settings, [[4], [5]], V, CPU)
    other = processors_for(settings, [[6]], V, CPU)
    logits = torch.ones(2, V)
    for mine, more in zip(both, other, strict=True):
        mine.append(torch.tensor([1, 7]))
        more.append(torch.tensor([1]))
        mine.select(torch.tensor([1, 0, 0]))
        mine.select(torch.tensor([0, 1]))
        mine.join(more)
    logits = torch.ones(3, V)
    for processor in both:
        logits = processor.process(logits)
    assert [row.nonzero().flatten().tolist() for row in logits == 0.5] == [[5, 7], [1, 4], [1, 6]]
    assert [row.nonzero().flatten().tolist() for row in logits.isinf()] == [[3], [2, 3], [2, 3]]


def test_no_processor_runs_unasked():
    assert processors_for(DecodingSettings(max_new_tokens=1), [[1]], V, CPU) == []
