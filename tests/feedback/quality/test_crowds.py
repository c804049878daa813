"""Simulated crowds: what `bench/crowds.py` prints, held to what the project promises."""

import numpy as np
import pytest

from bench.crowds import crowd_make, measure


@pytest.mark.parametrize(("overlap", "n_items"), [(3, 4), (5, 2)])
def test_one_crowd_with_spammers(overlap, n_items):
    found = measure(crowd_make(seed=0, overlap=overlap, n_items=n_items))
    assert found["consensus"] >= found["honest_alone"] - 0.02
    assert found["consensus"] > found["majority"]
    assert found["weight_left"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("n_items", [2, 4])
@pytest.mark.parametrize("overlap", [3, 5])
def test_spammers_are_found_and_do_the_consensus_no_harm(overlap, n_items):
    runs = [measure(crowd_make(seed=seed, overlap=overlap, n_items=n_items)) for seed in range(20)]
    mean = {name: np.mean([run[name] for run in runs]) for name in runs[0]}
    assert mean["consensus"] >= mean["honest_alone"] - 0.02
    assert mean["recall"] >= 0.95
    assert mean["honest"] <= 0.05
    assert mean["weight_left"] == 0
