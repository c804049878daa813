import numpy as np
import torch

from modeling.sampling.choosing import choose_tokens, chosen_logprobs
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.randomness import mix_seeds, row_uniforms

N = 40_000
LOGITS = torch.tensor([2.0, 0.0, -1.0, 1.5, 0.3, -30.0])
CRITICAL = {1: 10.8, 4: 18.5, 5: 20.5, 19: 43.8}
"""Chi-square at p = 0.001, by degrees of freedom. Seeds are fixed, so the test cannot flicker."""


def draws(**settings):
    uniforms = row_uniforms(range(N), 1)[:, 0]
    tokens = choose_tokens(LOGITS.expand(N, -1), uniforms, DecodingSettings(max_new_tokens=1, **settings))
    return torch.bincount(tokens, minlength=len(LOGITS)).numpy()


def fits(counts, probs):
    counts, probs = np.asarray(counts, dtype=float), np.asarray(probs, dtype=float)
    assert counts[probs < 1e-9].sum() == 0
    observed, expected = counts[probs >= 1e-9], counts.sum() * probs[probs >= 1e-9]
    return ((observed - expected) ** 2 / expected).sum() < CRITICAL[len(observed) - 1]


def test_tokens_follow_the_softmax():
    assert fits(draws(), torch.softmax(LOGITS.double(), 0).numpy())


def test_temperature_sharpens():
    assert fits(draws(temperature=0.5), torch.softmax(LOGITS.double() / 0.5, 0).numpy())


def test_top_k_keeps_the_k_likeliest():
    e = np.exp([2.0, 1.5])
    assert fits(draws(top_k=2), [e[0] / e.sum(), 0, 0, e[1] / e.sum(), 0, 0])


def test_top_p_keeps_the_token_that_crosses():
    # Probabilities 0.474, 0.287, 0.087 by hand: 0.7 is crossed by the second token.
    e = np.exp([2.0, 1.5])
    assert fits(draws(top_p=0.7), [e[0] / e.sum(), 0, 0, e[1] / e.sum(), 0, 0])
    assert draws(top_p=0.01)[0] == N


def test_temperature_zero_is_greedy():
    assert draws(temperature=0)[0] == N


def test_the_largest_uniform_number_chooses_a_possible_token():
    logits = torch.tensor([[0.0, 0.0, -torch.inf]])
    chosen = choose_tokens(
        logits, torch.tensor([1 - 2.0**-52], dtype=torch.float64), DecodingSettings(max_new_tokens=1)
    )
    assert chosen.tolist() == [1]


def test_log_probabilities_ignore_temperature():
    assert np.isclose(chosen_logprobs(LOGITS[None], torch.tensor([3]))[0], torch.log_softmax(LOGITS, 0)[3])


def test_uniform_numbers_depend_on_seed_and_step_alone():
    table = row_uniforms(range(100), 50)
    assert torch.equal(row_uniforms([42], 80)[0, :50], table[42])
    assert 0 <= table.min() < table.max() < 1
    assert fits(np.histogram(table.numpy(), bins=20, range=(0, 1))[0], [0.05] * 20)


def test_streams_of_neighbouring_seeds_do_not_overlap():
    assert len(np.unique(row_uniforms(range(200), 200).numpy())) == 200 * 200


def test_every_part_of_a_mixed_seed_matters():
    assert len({mix_seeds(a, b) for a in range(30) for b in range(30)} | {mix_seeds(5), mix_seeds(5, 0, 0)}) == 902
    assert 0 <= mix_seeds(-1, 2**70) < 2**63
