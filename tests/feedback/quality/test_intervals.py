import numpy as np
import pytest

from feedback.quality.intervals import groups_of, jackknife, means, medians, share_of, shares, wilson


def test_wilson_gives_the_published_interval():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    low, high = wilson(np.array([81 / 263, 15 / 148, 0.0, 1 / 29]), np.array([263.0, 148, 20, 29]))
    assert low == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)


def test_rows_that_only_repeat_their_cluster_count_once():
    hits = np.random.default_rng(0).random(400) < 0.7
    alone = share_of(hits.astype(float), np.ones(400), method="m")
    doubled = share_of(2.0 * hits, np.full(400, 2.0), method="m")
    assert (doubled.low, doubled.high) == pytest.approx((alone.low, alone.high))
    assert (alone.n, doubled.n) == (400, 800)


def test_a_share_of_nothing_is_no_figure():
    assert share_of(np.zeros(0), np.zeros(0), method="m").value is None


def test_a_share_of_one_is_worth_its_clusters():
    estimate = share_of(np.full(20, 6.0), np.full(20, 6.0), method="m")
    assert estimate.low == pytest.approx(wilson(np.array([1.0]), np.array([20.0]))[0][0])


def test_the_interval_of_a_mean_is_students():
    (estimate,) = means(np.array([1.0, 2, 3, 4, 5]), np.zeros(5, np.int64), 1, method="m")
    half = 2.7764451 * np.sqrt(2.5 / 5)  # t with four degrees of freedom
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((3, 3 - half, 3 + half))


def test_a_single_value_has_no_interval():
    (estimate,) = means(np.array([2.0]), np.zeros(1, np.int64), 1, method="m")
    assert (estimate.value, estimate.low, estimate.n) == (2.0, None, 1)


def test_the_interval_of_a_median_lies_between_two_of_the_values():
    # P(Binomial(100, 1/2) < 40) = 0.0176 and < 41 = 0.0284: between the 40th and the 41st value from either end.
    (estimate,) = medians(np.arange(1.0, 101), np.zeros(100, np.int64), 1, method="m")
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((50.5, 40.76, 60.24), abs=0.01)


def test_too_few_values_for_a_medians_interval_have_none():
    (estimate,) = medians(np.array([3.0, 1, 2]), np.zeros(3, np.int64), 1, method="m")
    assert (estimate.value, estimate.low, estimate.high) == (2, None, None)


def test_the_jackknife_of_a_mean_is_students_interval():
    values = np.array([1.0, 2, 3, 4, 5])
    sums = np.stack([values, np.ones(5)], axis=-1)
    estimate = jackknife(sums, lambda s: s[:, 0] / s[:, 1], n=5, method="m", most=10)
    (expected,) = means(values, np.zeros(5, np.int64), 1, method="m")
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))


def test_groups_have_equal_sizes():
    sizes = np.bincount(groups_of(1000, np.random.default_rng(0), most=200))
    assert set(sizes) == {5}


RUNS = 1000


def covered(estimates, truth):
    return np.mean(
        [
            one.low <= true <= one.high
            for one, true in zip(estimates, np.broadcast_to(truth, len(estimates)), strict=True)
        ]
    )


@pytest.mark.parametrize("n_clusters", [30, 300])
@pytest.mark.parametrize("truth", [0.5, 0.85])
def test_shares_of_clustered_rows_cover_the_truth(n_clusters, truth):
    generator = np.random.default_rng(1)
    group = np.repeat(np.arange(RUNS), n_clusters)
    sizes = generator.integers(1, 7, len(group)).astype(float)
    own = generator.beta(3 * truth, 3 * (1 - truth), len(group))
    hits = generator.binomial(sizes.astype(int), own).astype(float)
    assert covered(shares(hits, sizes, group, RUNS, method="m"), truth) == pytest.approx(0.95, abs=0.02)


def test_means_cover_the_truth():
    values = np.random.default_rng(2).exponential(1.0, RUNS * 100)
    group = np.repeat(np.arange(RUNS), 100)
    assert covered(means(values, group, RUNS, method="m"), 1.0) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("n", [25, 200])
def test_medians_cover_the_truth(n):
    values = np.random.default_rng(3).lognormal(3, 1, RUNS * n)
    group = np.repeat(np.arange(RUNS), n)
    assert covered(medians(values, group, RUNS, method="m"), np.exp(3)) == pytest.approx(0.95, abs=0.02)
