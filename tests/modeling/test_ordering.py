import numpy as np
import pytest

from modeling.training.ordering import order_by_length

LENGTHS = np.random.default_rng(0).integers(5, 200, size=1003).tolist()


def order(**changes):
    return order_by_length(LENGTHS, **{"batch_size": 16, "epochs": 1, "seed": 0, **changes})


def test_a_pass_visits_every_example_once():
    assert sorted(order()) == list(range(1003))


@pytest.mark.parametrize(("epochs", "n_visits"), [(2, 2006), (0.5, 502), (1.5, 1504)])
def test_passes_may_be_several_or_a_share(epochs, n_visits):
    visits = np.bincount(order(epochs=epochs), minlength=1003)
    assert visits.sum() == n_visits
    assert visits.max() <= -(-epochs // 1)


def test_little_of_a_batch_is_padding():
    def padded(indexes):
        batches = [indexes[start : start + 16] for start in range(0, 1003, 16)]
        return sum(max(LENGTHS[i] for i in batch) * len(batch) for batch in batches) / sum(LENGTHS)

    assert padded(list(range(1003))) > 1.7
    assert padded(order()) < 1.1


def test_batches_do_not_come_in_the_order_of_length():
    means = [np.mean([LENGTHS[i] for i in order()[start : start + 16]]) for start in range(0, 992, 16)]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.3


def test_the_order_is_a_function_of_the_seed():
    assert order(seed=1) == order(seed=1) != order(seed=2)
