import random

import pytest
import torch

from modeling.training.gae import advantages_estimate


def advantages_by_definition(rewards, values, *, gamma, gae_lambda):
    """Every sum written out (Schulman et al., 2016, eq. 16), for one answer as lists."""
    errors = [
        reward + gamma * (values[i + 1] if i + 1 < len(values) else 0.0) - values[i] for i, reward in enumerate(rewards)
    ]
    return [
        sum((gamma * gae_lambda) ** (later - i) * errors[later] for later in range(i, len(errors)))
        for i in range(len(errors))
    ]


def test_advantages_worked_out_by_hand():
    # gamma 0.5, lambda 0.5. Errors from the back: 1 - 3 = -2; 0 + 0.5 * 3 - 2 = -0.5; 0 + 0.5 * 2 - 1 = 0.
    # Advantages: -2; -0.5 + 0.25 * -2 = -1; 0 + 0.25 * -1 = -0.25.
    advantages, returns = advantages_estimate(
        torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[1.0, 2.0, 3.0]]), torch.ones(1, 3, dtype=torch.bool),
        gamma=0.5, gae_lambda=0.5,
    )  # fmt: skip
    assert advantages.tolist() == [[-0.25, -1, -2]]
    assert returns.tolist() == [[0.75, 1, 1]]


@pytest.mark.parametrize(("gamma", "gae_lambda"), [(1.0, 0.95), (0.9, 0.5), (1.0, 1.0), (0.99, 0.0), (0.0, 1.0)])
def test_advantages_are_those_of_the_definition_whatever_stands_in_the_padding(gamma, gae_lambda):
    stream = random.Random(4)
    lengths = [7, 1, 4, 7, 2]
    rewards, values = ([[stream.gauss(0, 1) for _ in range(7)] for _ in lengths] for _ in range(2))
    mask = torch.arange(7) < torch.tensor(lengths).unsqueeze(1)
    advantages, returns = advantages_estimate(
        torch.tensor(rewards, dtype=torch.float64), torch.tensor(values, dtype=torch.float64), mask,
        gamma=gamma, gae_lambda=gae_lambda,
    )  # fmt: skip
    for row, n in enumerate(lengths):
        expected = advantages_by_definition(rewards[row][:n], values[row][:n], gamma=gamma, gae_lambda=gae_lambda)
        assert advantages[row].tolist() == pytest.approx(expected + [0] * (7 - n))
        sums = [advantage + value for advantage, value in zip(expected, values[row], strict=False)]
        assert returns[row].tolist() == pytest.approx(sums + [0] * (7 - n))


def test_with_lambda_one_the_return_is_what_the_rewards_add_up_to():
    rewards, mask = torch.tensor([[1.0, 2.0, 4.0]]), torch.ones(1, 3, dtype=torch.bool)
    _, returns = advantages_estimate(rewards, torch.randn(1, 3), mask, gamma=1.0, gae_lambda=1.0)
    assert returns[0].tolist() == pytest.approx([7, 6, 4], abs=1e-6)
