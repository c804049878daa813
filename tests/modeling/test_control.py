import random
import statistics

import pytest

from modeling.training.control import MIN_STD, RunningSpread, kl_coef_next


@pytest.mark.parametrize(
    ("kl_nats", "expected"),
    [(6.0, 0.1), (6.6, 0.1 * 1.025), (60.0, 0.1 * 1.05), (5.4, 0.1 * 0.975), (0.0, 0.1 * 0.95), (-3.0, 0.1 * 0.95)],
)
def test_the_coefficient_follows_the_kl_to_its_target_by_at_most_a_twentieth(kl_nats, expected):
    assert kl_coef_next(0.1, kl_nats, target_nats=6.0) == pytest.approx(expected)


@pytest.mark.parametrize(("progress", "expected"), [(0.15, 1.05), (0.3, 1.0), (0.6, 0.95), (1.0, 0.95)])
def test_the_target_rises_in_the_first_steps(progress, expected):
    assert kl_coef_next(1.0, 3.0, target_nats=6.0, progress=progress) == pytest.approx(expected)


@pytest.mark.parametrize(("progress", "kl_nats"), [(0.0, 5.0), (0.3, 5.5), (0.6, 6.0), (1.0, 6.0)])
def test_the_target_of_a_policy_that_goes_on_rises_from_where_it_starts(progress, kl_nats):
    assert kl_coef_next(1.0, kl_nats, target_nats=6.0, start_nats=5.0, progress=progress) == pytest.approx(1.0)


def test_the_running_spread_is_that_of_all_numbers_so_far():
    stream, spread = random.Random(2), RunningSpread()
    values: list[float] = []
    for n in (1, 5, 3, 64):
        batch = [stream.gauss(100, 3) for _ in range(n)]
        spread.add(batch)
        values += batch
    assert (spread.n, spread.mean) == (73, pytest.approx(statistics.fmean(values)))
    assert spread.std == pytest.approx(statistics.pstdev(values))


def test_scores_that_are_all_the_same_are_not_blown_up():
    spread = RunningSpread()
    assert spread.std == 1
    spread.add([0.5, 0.5, 0.5])
    assert spread.std == MIN_STD
