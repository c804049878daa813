import krippendorff
import numpy as np
import pytest

from feedback.quality.agreement import (
    annotator_agreement,
    kendall_tau,
    krippendorff_alpha,
    label_counts,
    pairwise_agreement,
)  # fmt: skip
from feedback.quality.couples import couples_of
from tests.feedback.quality.crowds import rows_of, votes_of

NAN = np.nan
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
)
"""Four observers and twelve units with missing values: Krippendorff 2011, section C."""


def alpha(data, metric):
    """Alpha of (observers, units), each unit a task with one item."""
    observers, units = data.shape
    task_J = np.tile(np.arange(units), observers)
    return krippendorff_alpha(data.reshape(-1, 1), task_J, units, np.random.default_rng(0), metric)


@pytest.mark.parametrize(("metric", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(metric, value):
    estimate = alpha(PUBLISHED, metric)
    assert round(estimate.value, 3) == value
    assert estimate.n == 11  # the last unit has one value


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("seed", range(3))
def test_alpha_is_that_of_the_krippendorff_package(metric, seed):
    generator = np.random.default_rng(seed)
    data = np.clip(generator.integers(1, 5, 60) + generator.integers(-1, 2, (6, 60)), 1, 5).astype(float)
    data[generator.random(data.shape) < 0.3] = NAN
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement=metric)
    assert alpha(data, metric).value == pytest.approx(expected)


def test_alpha_of_rankings_with_ties_has_a_unit_for_each_answer():
    votes = votes_of([(0, 1, (1, 1, 3)), (0, 2, (1, 2, 3)), (1, 1, (2, 1, None)), (1, 2, (1, 2, 3))])
    _, task_J, _ = rows_of(votes)
    data = np.array([[1, 1, 3, 2, 1, NAN], [1, 2, 3, 1, 2, 3]])
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="ordinal")
    estimate = krippendorff_alpha(votes.ranks_JK, task_J, 2, np.random.default_rng(0))
    assert (estimate.value, estimate.n) == (pytest.approx(expected), 5)


def test_alpha_needs_two_judgments_of_one_task():
    votes = votes_of([(0, 1, (1, 2)), (1, 2, (1, 2))])
    assert krippendorff_alpha(votes.ranks_JK, np.array([0, 1]), 2, np.random.default_rng(0)).value is None


def test_alpha_of_people_who_all_tie_everything_is_no_figure():
    votes = votes_of([(0, 1, (1, 1)), (0, 2, (1, 1))])
    assert krippendorff_alpha(votes.ranks_JK, np.array([0, 0]), 1, np.random.default_rng(0)).value is None


def test_pairwise_agreement_counts_couples_of_people():
    # Pair 0-1: won, won, lost: 1 of 3 couples agree. Pair 0-2: won, won, tie: 1 of 3. Pair 1-2: won, tie, won: 1 of 3.
    rows = [(0, 1, (1, 2, 3)), (0, 2, (1, 2, 2)), (0, 3, (2, 1, 2)), (1, 1, (1, 2)), (1, 2, (1, 2)), (2, 1, (1, 2))]
    pairs, _, _ = rows_of(votes_of(rows))
    estimate, by_task = pairwise_agreement(label_counts(pairs), pairs.task, 3)
    assert estimate.value == pytest.approx((3 + 1) / (9 + 1))
    assert estimate.n == 10
    np.testing.assert_allclose(by_task, [1 / 3, 1, NAN])


def test_a_pair_that_was_not_judged_agrees_with_nothing():
    pairs, _, _ = rows_of(votes_of([(0, 1, (1, 2, None)), (0, 2, (1, 2, 3))]))
    estimate, _ = pairwise_agreement(label_counts(pairs), pairs.task, 1)
    assert (estimate.value, estimate.n) == (1, 1)


def test_an_unranked_answer_is_worse_than_ranked_ones_and_undecided_against_others():
    pairs, _, _ = rows_of(votes_of([(0, 1, (1, np.inf, np.inf)), (0, 2, (1, 2, 3))]))
    estimate, _ = pairwise_agreement(label_counts(pairs), pairs.task, 1)
    assert (estimate.value, estimate.n) == (1, 2)


def test_each_person_is_compared_with_all_others_of_the_task():
    pairs, _, annotator_J = rows_of(votes_of([(0, 1, (1, 2)), (0, 2, (1, 2)), (0, 3, (2, 1)), (1, 4, (1, 2))]))
    first, second, third, alone = annotator_agreement(pairs, label_counts(pairs), annotator_J)
    assert (first.value, second.value, third.value, alone.value) == (0.5, 0.5, 0, None)


def test_what_does_not_count_is_compared_but_compares_nobody():
    votes = votes_of([(0, 1, (1, 2)), (0, 2, (1, 2)), (0, 3, (2, 1))], counted=[True, True, False])
    pairs, _, annotator_J = rows_of(votes)
    first, _, held = annotator_agreement(pairs, label_counts(pairs), annotator_J)
    assert (first.value, first.n) == (1, 1)
    assert (held.value, held.n) == (0, 2)


def test_tau_b_of_rankings_with_ties():
    # Signs of the six pairs: ++++++ against +0+++- has 5 untied: (4 - 1) / sqrt(6 * 5).
    votes = votes_of([(0, 1, (1, 2, 3, 4)), (0, 2, (1, 2, 2, 2)), (1, 1, (1, 2, 3)), (1, 2, (3, 2, 1))])
    _, task_J, _ = rows_of(votes)
    couples = couples_of(task_J, votes.ranks_JK, np.ones(4, bool))
    assert couples.tau == pytest.approx([3 / np.sqrt(6 * 3), -1])
    assert kendall_tau(couples, task_J, np.random.default_rng(0)).value == pytest.approx((3 / np.sqrt(18) - 1) / 2)


def test_tau_knows_no_order_where_all_are_tied():
    votes = votes_of([(0, 1, (1, 1)), (0, 2, (1, 2))])
    couples = couples_of(np.array([0, 0]), votes.ranks_JK, np.ones(2, bool))
    assert kendall_tau(couples, np.array([0, 0]), np.random.default_rng(0)).value is None


def test_a_task_that_everybody_judges_is_compared_with_twenty_neighbours_not_with_all():
    votes = votes_of([(0, person, (1, 2)) for person in range(100)])
    couples = couples_of(np.zeros(100, np.int64), votes.ranks_JK, np.ones(100, bool))
    assert len(couples.same) == 19 * 100 - 19 * 20 / 2


@pytest.mark.slow
def test_intervals_of_alpha_and_tau_cover_what_many_tasks_give():
    def figures(seed, n_tasks):
        generator = np.random.default_rng(seed)
        utility = np.repeat(generator.standard_normal((n_tasks, 4)), 3, axis=0)
        ranks_JK = 1.0 + np.argsort(np.argsort(utility + 0.7 * generator.standard_normal(utility.shape), 1), 1)
        ranks_JK[ranks_JK == 4] = 3  # ties
        task_J = np.repeat(np.arange(n_tasks), 3)
        couples = couples_of(task_J, ranks_JK, np.ones(len(task_J), bool))
        return (
            kendall_tau(couples, task_J, generator),
            krippendorff_alpha(ranks_JK, task_J, n_tasks, generator),
        )

    truth = [estimate.value for estimate in figures(0, 200_000)]
    runs = [figures(seed, 60) for seed in range(1, 1001)]
    for place in (0, 1):
        inside = np.mean([run[place].low <= truth[place] <= run[place].high for run in runs])
        assert inside == pytest.approx(0.95, abs=0.02)
