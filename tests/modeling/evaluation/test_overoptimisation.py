import numpy as np
import pytest

from modeling.evaluation.overoptimisation import overoptimisation

STEPS = list(range(0, 90, 10))


def planted(judge_of, *, seed=0, noise=1.3, n_prompts=100, top_nats=25.0):
    """Nine snapshots up to 25 nats away: a reward that always rises, and a judge that follows `judge_of(sqrt KL)`."""
    generator = np.random.default_rng(seed)
    distances = np.sqrt(np.linspace(0, top_nats, len(STEPS)))
    shape = (len(STEPS), n_prompts)
    shared = generator.normal(0, noise, n_prompts)  # prompts differ, and alike for all snapshots
    judges = np.array([[judge_of(d)] for d in distances]) + shared + generator.normal(0, noise, shape)
    rewards = 2 * (1 - np.exp(-distances / 2))[:, None] + generator.normal(0, noise * 0.4, shape)
    return distances[:, None] ** 2 + np.zeros(shape), rewards, judges


def gao(a, b):
    return lambda d: d * (a - b * np.log(d)) if d else 0.0


def found_in(judge_of, **more):
    return overoptimisation(STEPS, *planted(judge_of, **more), n_bootstrap=1_000)


def test_without_noise_they_part_at_the_top_and_the_warning_comes_before_it_is_seen():
    found = found_in(gao(1.0, 0.6), noise=0.0)
    heights = [point.judge for point in found.points]
    assert found.parting_step == STEPS[int(np.argmax(heights))] == 10  # top at log d = a/b - 1, 3.8 nats: first of 3.1
    assert found.parting_seen_step == 20
    assert found.warning_step == 40  # the first snapshot with enough points to fit a curve to


def test_a_fitted_curve_warns_at_half_the_kl_of_its_top():
    # Top at sqrt(KL) = e, 7.4 nats away; a slope of a quarter at 7.4 * exp(-2/3) = 3.8 nats.
    found = found_in(gao(1.0, 0.5), noise=0.0, top_nats=8.0)
    assert [point.kl_nats for point in found.points if point.step in (30, 40)] == pytest.approx([3.0, 4.0])
    assert found.warning_step == 40
    assert found.parting_step == 70


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_fall_is_found_in_noise_and_warned_of(seed):
    found = found_in(gao(1.2, 0.8), seed=seed)
    assert found.parting_step in (10, 20, 30)
    assert found.warning_step is not None
    assert found.warning_step <= found.parting_seen_step


def test_a_judge_that_goes_on_rising_never_parts():
    parted = [found_in(lambda d: 0.3 * d, seed=seed).parting_step for seed in range(20)]
    assert parted == [None] * 20


def test_noise_alone_parts_in_about_one_run_of_twenty():
    parted = [found_in(lambda _: 0.0, seed=seed).parting_step is not None for seed in range(60)]
    assert sum(parted) <= 9


def test_a_reward_that_falls_with_the_judge_has_not_parted_from_it():
    log_ratios, rewards, judges = planted(gao(1.0, 0.8), noise=0.0)
    assert overoptimisation(STEPS, log_ratios, -rewards, judges, n_bootstrap=200).parting_step is None


def test_the_first_fall_counts_also_where_the_judge_recovers_and_rises_above_it():
    heights = [0.0, 1.0, 2.0, -1.0, 1.0, 3.0, 2.0, 2.0, 2.0]
    rewards = np.arange(9.0)[:, None] + np.zeros((9, 5))
    found = overoptimisation(STEPS, rewards, rewards, np.array(heights)[:, None] + np.zeros((9, 5)), n_bootstrap=100)
    assert (found.parting_step, found.parting_seen_step) == (20, 30)


def test_the_points_are_means_with_intervals_of_redrawn_prompts():
    log_ratios = np.array([[0.0, 0.0], [1.0, 3.0]])
    rewards, judges = np.array([[0.0, 1.0], [1.0, 2.0]]), np.array([[5.0, 5.0], [6.0, 6.0]])
    first, last = overoptimisation([0, 8], log_ratios, rewards, judges, n_bootstrap=500).points
    assert (first.step, first.kl_nats, first.reward, first.judge) == (0, 0, 0.5, 5)
    assert (last.step, last.kl_nats, last.reward, last.judge) == (8, 2, 1.5, 6)
    assert (last.reward_low, last.reward_high) == (1, 2)  # two prompts: either may be drawn twice
    assert (last.judge_low, last.judge_high) == (6, 6)
