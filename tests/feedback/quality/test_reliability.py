import numpy as np
import pandas as pd
import pytest
from crowdkit.aggregation import OneCoinDawidSkene

from feedback.domain.quality import NOTHING
from feedback.quality.consensus import weights_of
from feedback.quality.reliability import (
    Reliability,
    posterior,
    reliability_estimates,
    reliability_fit,
)  # fmt: skip
from tests.feedback.quality.crowds import coin_crowd, rows_of, votes_of


def model_of(right, *, trusted=None, tie=0.1, tie_of_win=0.1, tie_of_tie=0.6):
    trusted = np.ones(len(right), bool) if trusted is None else np.array(trusted)
    return Reliability(np.array(right), trusted, tie, tie_of_win, tie_of_tie)


def chances(model, rows, **columns):
    pairs, _, _ = rows_of(votes_of(rows, **columns))
    return posterior(model.pair_odds(pairs))


def test_votes_add_up_as_log_odds():
    # 9 * 4 / (7 / 3) to 1 for the first against the second.
    rows = [(0, 1, (1, 2)), (0, 2, (1, 2)), (0, 3, (2, 1))]
    ((first, second, _),) = chances(model_of([0.9, 0.8, 0.7]), rows)
    assert first / second == pytest.approx(9 * 4 / (7 / 3))


def test_the_posterior_of_a_tie_follows_bayes():
    # One person with p = 0.9 says "first": 0.45 * 0.9 * 0.9, 0.45 * 0.9 * 0.1, 0.1 * 0.4 / 2.
    joint = np.array([0.45 * 0.9 * 0.9, 0.45 * 0.9 * 0.1, 0.1 * 0.2])
    assert chances(model_of([0.9]), [(0, 1, (1, 2))])[0] == pytest.approx(joint / joint.sum())
    joint = np.array([0.45 * 0.1, 0.45 * 0.1, 0.1 * 0.6])
    assert chances(model_of([0.9]), [(0, 1, (1, 1))])[0] == pytest.approx(joint / joint.sum())


def test_who_is_not_trusted_or_does_not_count_has_no_vote():
    rows = [(0, 1, (1, 2)), (0, 2, (2, 1))]
    alone = chances(model_of([0.8]), rows[:1])
    assert chances(model_of([0.8, 0.9], trusted=[True, False]), rows) == pytest.approx(alone)
    assert chances(model_of([0.8, 0.9]), rows, counted=[True, False]) == pytest.approx(alone)


def test_worse_than_guessing_counts_as_guessing():
    rows = [(0, 1, (1, 2))]
    first, second, _ = chances(model_of([0.2]), rows)[0]
    assert first == pytest.approx(second)


def test_reliability_is_that_of_the_crowd_kit_where_nobody_ties():
    generator = np.random.default_rng(0)
    votes, _ = coin_crowd(generator, right_A=generator.uniform(0.6, 0.95, 12), n_tasks=1500, overlap=4)
    pairs, _, _ = rows_of(votes)
    fitted = reliability_fit(pairs, np.ones(12, bool))
    peer = OneCoinDawidSkene(100).fit(
        pd.DataFrame({"task": votes.task, "worker": votes.annotator, "label": pairs.label})
    )
    assert fitted.right == pytest.approx(peer.skills_.sort_index().to_numpy(), abs=0.01)


def test_nobody_is_known_where_nobody_judged_what_others_judged():
    pairs, _, annotator_J = rows_of(votes_of([(task, task % 3, (1, 2)) for task in range(30)]))
    fitted = reliability_fit(pairs, np.ones(3, bool))
    assert fitted.right == pytest.approx(0.8, abs=0.03)
    assert reliability_estimates(pairs, fitted, annotator_J) == [NOTHING] * 3


def test_known_answers_measure_a_person_alone():
    votes = votes_of([(task, 1, (1, 2) if task % 10 else (2, 1)) for task in range(200)])
    pairs, _, _ = rows_of(votes)
    known = type(pairs)(**{**vars(pairs), "known": np.ones(200)})
    assert reliability_fit(known, np.ones(1, bool)).right[0] == pytest.approx(0.9, abs=0.005)


def test_ties_do_not_make_a_person_unreliable():
    generator = np.random.default_rng(1)
    rows = []
    for task in range(400):
        truth = generator.choice([-1, 0, 1], p=[0.35, 0.3, 0.35])
        for person in range(5):
            hit = generator.random() < 0.9
            said = (truth if hit else -truth) if truth else (0 if hit else generator.choice([-1, 1]))
            rows.append((task, person, {1: (1, 2), 0: (1, 1), -1: (2, 1)}[int(said)]))
    fitted = reliability_fit(rows_of(votes_of(rows))[0], np.ones(5, bool))
    assert fitted.right == pytest.approx(0.9, abs=0.04)
    assert (fitted.tie, fitted.tie_of_tie) == pytest.approx((0.3, 0.9), abs=0.06)


def test_the_typical_person_weighs_one_and_the_untrusted_nothing():
    weights = weights_of(model_of([0.7, 0.8, 0.9, 0.9, 0.4], trusted=[True, True, True, False, True]))
    assert weights[3] == weights[4] == 0
    assert weights[0] == pytest.approx(np.log(0.7 / 0.3) / np.log([0.7 / 0.3, 4]).mean())


@pytest.mark.slow
def test_intervals_of_reliability_cover_the_truth():
    generator = np.random.default_rng(2)
    right = generator.uniform(0.65, 0.92, 1000)
    votes, _ = coin_crowd(generator, right_A=right, n_tasks=20_000, overlap=5)
    pairs, _, annotator_J = rows_of(votes)
    estimates = reliability_estimates(pairs, reliability_fit(pairs, np.ones(1000, bool)), annotator_J)
    inside = np.mean([one.low <= true <= one.high for one, true in zip(estimates, right, strict=True)])
    assert inside == pytest.approx(0.95, abs=0.02)
