import math

import numpy as np
import pytest
from scipy.optimize import minimize

from modeling.evaluation.length_control import RIDGE, length_control


def logistic(values):
    return 1 / (1 + np.exp(-np.asarray(values)))


def planted(generator, *, winning, length, longer=1.0, n=3_000):
    """Pairs whose log-odds of winning are `winning` at no difference; ours are longer by `longer` on average."""
    differences = 10 * generator.normal(longer, 1.0, size=n)
    typical = np.sqrt(np.mean(differences**2))
    chances = logistic(winning + length * np.tanh(differences / typical))
    return range(n), (generator.random(n) < chances).astype(float), differences


def test_a_policy_that_wins_by_length_alone_wins_half_once_length_is_controlled():
    prompts, outcomes, differences = planted(np.random.default_rng(0), winning=0.0, length=1.5)
    found = length_control(prompts, outcomes, differences)
    assert np.mean(outcomes) > 0.65
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.1
    assert found.effect_low < 1.5 < found.effect_high


def test_what_is_won_beside_length_is_left():
    found = length_control(*planted(np.random.default_rng(1), winning=0.8, length=1.0))
    assert found.low < logistic(0.8) < found.high
    assert found.low > 0.5


def test_where_length_does_nothing_the_win_rate_stays_what_it_was():
    prompts, outcomes, differences = planted(np.random.default_rng(2), winning=0.8, length=0.0, longer=0.0)
    found = length_control(prompts, outcomes, differences)
    assert found.win_rate == pytest.approx(np.mean(outcomes), abs=0.01)
    assert found.effect_low < 0 < found.effect_high


def test_answers_of_equal_length_leave_the_plain_win_rate():
    # Three wins of four: the log-odds are ln 3, which the weak pull moves by less than a hundredth.
    found = length_control([0, 1, 2, 3] * 100, [1, 1, 1, 0] * 100, [0] * 400)
    assert found.win_rate == pytest.approx(0.75, abs=0.003)
    assert found.effect == 0


def test_the_coefficients_are_those_of_an_independent_optimiser():
    prompts, outcomes, differences = planted(np.random.default_rng(3), winning=0.3, length=-0.7, n=200)
    scaled = np.tanh(differences / np.sqrt(np.mean(differences**2)))

    def loss(coefficients):
        logits = coefficients[0] + coefficients[1] * scaled
        return np.sum(np.logaddexp(0, logits) - outcomes * logits) + RIDGE / 2 * np.sum(np.square(coefficients))

    peer = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
    found = length_control(prompts, outcomes, differences)
    assert (math.log(found.win_rate / (1 - found.win_rate)), found.effect) == pytest.approx(tuple(peer), abs=1e-5)


def test_the_interval_is_that_of_redrawn_prompts():
    generator = np.random.default_rng(4)
    _, outcomes, differences = planted(generator, winning=0.5, length=0.5, n=400)
    # Four pairs a prompt that agree: as many pairs, a quarter of the evidence.
    prompts, outcomes, differences = (np.repeat(values, 4) for values in (np.arange(400), outcomes, differences))
    found = length_control(prompts, outcomes, differences)
    redrawn = []
    for _ in range(300):
        rows = np.concatenate([np.arange(4 * i, 4 * i + 4) for i in generator.integers(0, 400, size=400)])
        redrawn.append(length_control(np.repeat(np.arange(400), 4), outcomes[rows], differences[rows]).win_rate)
    low, high = np.quantile(redrawn, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_a_side_that_always_wins_has_finite_figures_near_one():
    found = length_control(range(500), [1.0] * 500, list(range(500)))
    assert 0.95 < found.win_rate < 1
    assert all(map(math.isfinite, (found.low, found.high, found.effect)))


def test_a_prompt_counts_as_one_however_many_pairs_it_has():
    many_losses = length_control([0] * 9 + [1], [0.0] * 9 + [1.0], [0.0] * 10)
    assert many_losses.win_rate == pytest.approx(0.5)
