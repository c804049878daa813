import itertools
import math

import pytest
import torch

from modeling.training.losses import (
    LN_2,
    bradley_terry_losses,
    leave_one_out_advantages,
    pairs_right,
    policy_gradient_loss,
    sequence_rewards,
)
from modeling.training.schedule import warm_cosine, warm_linear


def test_bradley_terry_is_minus_log_of_the_probability_that_chosen_wins():
    # sigmoid(ln 3) = 3/4 and sigmoid(-ln 3) = 1/4
    chosen, rejected = torch.tensor([math.log(3), 0.0, 2.0]), torch.tensor([0.0, math.log(3), 2.0])
    losses = bradley_terry_losses(chosen, rejected)
    assert losses.tolist() == pytest.approx([math.log(4 / 3), math.log(4), LN_2])


def test_a_tie_counts_as_wrong():
    assert pairs_right(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])).tolist() == [True, False, False]


def test_the_baseline_of_a_sample_is_the_mean_of_its_siblings():
    # For 1 the siblings 2, 3, 6 have mean 11/3; for 6 the siblings 1, 2, 3 have mean 2.
    advantages = leave_one_out_advantages(torch.tensor([[1.0, 2.0, 3.0, 6.0], [5.0, 5.0, 5.0, 5.0]]))
    assert advantages[0].tolist() == pytest.approx([1 - 11 / 3, 2 - 10 / 3, 3 - 3, 6 - 2])
    assert advantages[1].tolist() == [0, 0, 0, 0]
    assert float(advantages.sum()) == pytest.approx(0, abs=1e-6)


def test_the_reward_of_an_answer_pays_for_its_kl_and_for_being_cut():
    rewards = sequence_rewards(
        torch.tensor([1.0, 1.0]), torch.tensor([4.0, -2.0]), torch.tensor([False, True]), kl_coef=0.1, cut_penalty=3.0
    )
    assert rewards.tolist() == pytest.approx([1 - 0.4, 1 + 0.2 - 3])


def test_on_policy_the_gradient_is_that_of_reinforce():
    logprobs = torch.tensor([[-1.0, -2.0], [-3.0, 0.0]], requires_grad=True)
    mask = torch.tensor([[True, True], [True, False]])
    loss = policy_gradient_loss(logprobs, logprobs.detach(), torch.tensor([2.0, -1.0]), mask, clip=0.2)
    loss.backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [[-2, -2], [1, 0]]  # -advantage on answer tokens, nothing on padding
    assert loss.item() == -2 - 2 + 1


def test_off_policy_the_ratio_stops_paying_beyond_the_clip():
    old = torch.zeros(1, 2)
    new = torch.log(torch.tensor([[1.5, 1.1]])).requires_grad_()
    loss = policy_gradient_loss(new, old, torch.tensor([1.0]), torch.ones(1, 2, dtype=torch.bool), clip=0.2)
    loss.backward()
    assert loss.item() == pytest.approx(-1.2 - 1.1)
    assert new.grad is not None
    assert new.grad.tolist()[0] == pytest.approx([0, -1.1])


def test_a_clipped_ratio_still_learns_to_avoid_what_was_bad():
    new = torch.log(torch.tensor([[1.5]])).requires_grad_()
    loss = policy_gradient_loss(new, torch.zeros(1, 1), torch.tensor([-1.0]), torch.ones(1, 1), clip=0.2)
    loss.backward()
    assert new.grad is not None
    assert float(new.grad) == pytest.approx(1.5)


@pytest.mark.parametrize("schedule", [warm_cosine, warm_linear])
def test_a_schedule_rises_to_one_and_falls_towards_zero(schedule):
    rates = [schedule(step, 100) for step in range(100)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(1)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[5:]))
    assert 0 < rates[-1] < 0.02
    assert schedule(0, 1) == 1
