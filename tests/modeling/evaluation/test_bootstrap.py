import numpy as np
import pytest

from modeling.evaluation.bootstrap import bootstrap_mean, bootstrap_ratio


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(0.7, 0.4, size=400).tolist()
    low, high = bootstrap_mean(values, n_resamples=4_000)
    error = np.std(values) / np.sqrt(len(values))
    assert low == pytest.approx(np.mean(values) - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(np.mean(values) + 1.96 * error, abs=0.1 * error)


def test_a_prompt_with_many_pairs_counts_as_one_draw():
    # Two prompts: 6 of 6 right, 0 of 6 right. Resampling prompts gives 0, 1/2 or 1; resampling pairs never would.
    assert bootstrap_ratio([6, 0], [6, 6], n_resamples=1_000) == (0.0, 1.0)


def test_a_ratio_weighs_prompts_by_their_pairs():
    low, high = bootstrap_ratio([1, 1, 1], [2, 2, 2], n_resamples=100)
    assert (low, high) == (0.5, 0.5)


def test_the_same_seed_gives_the_same_interval():
    values = [0.0, 1.0, 0.5, 0.25]
    assert bootstrap_mean(values, n_resamples=500, seed=1) == bootstrap_mean(values, n_resamples=500, seed=1)


def test_nothing_has_no_interval():
    with pytest.raises(ValueError, match="one of each per prompt"):
        bootstrap_ratio([], [], n_resamples=10)
