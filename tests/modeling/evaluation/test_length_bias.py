import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from modeling.evaluation.length_bias import length_coefficient, length_excess_p, length_share

GENERATOR = np.random.default_rng(3)
LENGTH = GENERATOR.standard_normal(600)
ONES = np.ones(600)
PROMPTS = [f"p{i // 6}" for i in range(600)]


def chosen_by(slope, generator):
    return (generator.random(600) < 1 / (1 + np.exp(-slope * LENGTH))).astype(float)


def test_the_coefficient_is_the_likeliest_one():
    won, weights = chosen_by(0.8, np.random.default_rng(1)), GENERATOR.uniform(0.2, 2, 600)

    def minus_log_likelihood(beta):
        prior = np.log1p(np.exp(beta)) / 2 + np.log1p(np.exp(-beta)) / 2
        return (weights * np.logaddexp(0, np.where(won == 1, -beta, beta) * LENGTH)).sum() + prior

    expected = minimize_scalar(minus_log_likelihood, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10}).x
    assert length_coefficient(LENGTH, won, weights) == pytest.approx(expected, abs=1e-5)


def test_where_the_longer_answer_always_wins_the_coefficient_is_finite():
    assert 3 < length_coefficient(LENGTH, (LENGTH > 0).astype(float), ONES) < 100


def test_it_does_not_matter_which_answer_stands_first():
    won = chosen_by(0.5, np.random.default_rng(2))
    turned = np.where(np.arange(600) % 2, -1, 1)
    assert length_coefficient(LENGTH * turned, np.where(turned < 0, 1 - won, won), ONES) == pytest.approx(
        length_coefficient(LENGTH, won, ONES)
    )


def test_a_model_that_lets_the_longer_answer_win_is_found_beside_people_who_hardly_do():
    people, model = chosen_by(0.3, np.random.default_rng(4)), (LENGTH > 0).astype(float)
    assert length_excess_p(LENGTH, model, people, ONES, PROMPTS) < 1e-6
    assert length_excess_p(LENGTH, 1 - model, people, ONES, PROMPTS) > 0.99


def test_the_test_errs_in_about_one_of_a_hundred_honest_models():
    p = []
    for seed in range(1000):
        generator = np.random.default_rng(seed)
        model, people = chosen_by(0.5, generator), chosen_by(0.5, generator)
        p.append(length_excess_p(LENGTH, model, people, ONES, PROMPTS))
    assert 0.003 <= np.mean(np.array(p) < 0.01) <= 0.018


def test_a_model_that_says_what_people_say_is_no_worse_than_they():
    people = chosen_by(2.0, np.random.default_rng(5))
    assert length_excess_p(LENGTH, people, people, ONES, PROMPTS) == 1


def test_the_share_is_what_length_explains_of_the_scores():
    lengths, other = np.array([1.0, -1.0, 1.0, -1.0]), np.array([1.0, 1.0, -1.0, -1.0])
    assert length_share(lengths, lengths * 3, np.ones(4)) == pytest.approx(1)
    assert length_share(lengths, lengths + other, np.ones(4)) == pytest.approx(0.5)
    assert length_share(lengths, np.zeros(4), np.ones(4)) == 0
