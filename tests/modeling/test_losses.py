import itertools
import math

import pytest
import torch

from modeling.training.losses import (
    approximate_kl,
    clipped_policy_loss,
    clipped_value_loss,
    explained_variance,
    group_normalised_advantages,
    grpo_loss,
    leave_one_out_advantages,
    policy_gradient_loss,
    sequence_rewards,
    token_rewards,
    whitened,
)
from modeling.training.schedule import long_run_factor, warm_cosine, warm_linear


def test_the_baseline_of_a_sample_is_the_mean_of_its_siblings():
    # For 1 the siblings 2, 3, 6 have mean 11/3; for 6 the siblings 1, 2, 3 have mean 2.
    advantages = leave_one_out_advantages(torch.tensor([[1.0, 2.0, 3.0, 6.0], [5.0, 5.0, 5.0, 5.0]]))
    assert advantages[0].tolist() == pytest.approx([1 - 11 / 3, 2 - 10 / 3, 3 - 3, 6 - 2])
    assert advantages[1].tolist() == [0, 0, 0, 0]
    assert float(advantages.sum()) == pytest.approx(0, abs=1e-6)


def test_a_group_is_normalised_by_its_own_mean_and_spread():
    # 1, 2, 6: mean 3, standard deviation (n - 1) sqrt((4 + 1 + 9) / 2) = sqrt(7)
    found = group_normalised_advantages(torch.tensor([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]]))
    assert found[0].tolist() == pytest.approx([-2 / math.sqrt(7), -1 / math.sqrt(7), 3 / math.sqrt(7)], rel=1e-4)
    assert found[1].tolist() == [0, 0, 0]


def test_grpos_loss_is_a_mean_over_each_answers_tokens_with_the_kl_beside_the_gain():
    # Answer one: ratios 1.5 (clipped to 1.2) and 1, advantage 2; KL of tokens with log-ratios ln 2 and 0 to the policy.
    # Answer two: one token, ratio 1, advantage -1, KL 0. Padding counts for nothing.
    new = torch.log(torch.tensor([[1.5, 1.0], [1.0, 9.0]])).requires_grad_()
    reference = torch.log(torch.tensor([[3.0, 1.0], [1.0, 1.0]]))
    mask = torch.tensor([[True, True], [True, False]])
    advantages = torch.tensor([2.0, -1.0])
    loss = grpo_loss(new, torch.zeros(2, 2), reference, advantages, mask, clip=0.2, kl_coef=0.5)
    loss.backward()
    assert loss.item() == pytest.approx((-2.4 - 2 + 0.5 * (1 - math.log(2))) / 2 + 1)
    # d/dnew of exp(ref - new) - (ref - new) - 1 is 1 - exp(ref - new) = -1 where the ratio is 2.
    assert new.grad is not None
    assert new.grad.tolist() == [pytest.approx([0.5 * -1 / 2, -2 / 2]), [1, 0]]


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


def test_every_token_may_carry_an_advantage_of_its_own():
    # Ratios 1.5 and 0.5 with clip 0.2: min(1.5, 1.2) = 1.2 and min(0.5 * -2, 0.8 * -2) = -1.6; the third is padding.
    new = torch.log(torch.tensor([[1.5, 0.5, 9.0]])).requires_grad_()
    advantages, mask = torch.tensor([[1.0, -2.0, 5.0]]), torch.tensor([[True, True, False]])
    loss = clipped_policy_loss(new, torch.zeros(1, 3), advantages, mask, clip=0.2)
    loss.backward()
    assert loss.item() == pytest.approx(-1.2 + 1.6)
    assert new.grad is not None
    assert new.grad.tolist() == [[0, 0, 0]]


def test_a_value_gains_nothing_by_moving_further_than_the_clip():
    # Return 1. Old 0, new 0.5, clip 0.2: max(0.25, (0.2 - 1)^2 = 0.64). Old 0, new 0.1: 0.81. Old 3, new 2.9: 3.61.
    values = torch.tensor([[0.5, 0.1, 2.9, 7.0]], requires_grad=True)
    old, returns = torch.tensor([[0.0, 0.0, 3.0, 0.0]]), torch.ones(1, 4)
    loss = clipped_value_loss(values, old, returns, torch.tensor([[True, True, True, False]]), clip=0.2)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * (0.64 + 0.81 + 3.61))
    assert values.grad is not None
    assert values.grad.tolist()[0] == pytest.approx([0, 0.1 - 1, 2.9 - 1, 0])


def test_each_token_pays_for_its_kl_and_the_last_one_brings_the_score():
    mask = torch.tensor([[True, True, True], [True, False, False]])
    log_ratios = torch.tensor([[1.0, -2.0, 0.5], [0.25, 9.0, 9.0]])
    rewards = token_rewards(
        torch.tensor([2.0, 1.0]), log_ratios, mask, torch.tensor([False, True]), kl_coef=0.1, cut_penalty=3.0
    )
    assert rewards[0].tolist() == pytest.approx([-0.1, 0.2, -0.05 + 2])
    assert rewards[1].tolist() == pytest.approx([-0.025 + 1 - 3, 0, 0])


def test_rewards_of_the_tokens_add_up_to_that_of_the_answer():
    scores, log_ratios, cut = torch.randn(5), torch.randn(5, 4), torch.tensor([True, False, True, False, False])
    mask = torch.arange(4) < torch.tensor([[1], [2], [3], [4], [4]])
    each = token_rewards(scores, log_ratios, mask, cut, kl_coef=0.3, cut_penalty=0.5)
    whole = sequence_rewards(scores, (log_ratios * mask).sum(1), cut, kl_coef=0.3, cut_penalty=0.5)
    torch.testing.assert_close(each.sum(1), whole)


def test_whitening_looks_at_answer_tokens_alone():
    # 1, 2, 6: mean 3, variance (4 + 1 + 9) / 3
    found = whitened(torch.tensor([[1.0, 2.0], [6.0, 99.0]]), torch.tensor([[True, True], [True, False]]))
    scale = math.sqrt(14 / 3)
    assert found.flatten().tolist() == pytest.approx([-2 / scale, -1 / scale, 3 / scale, 0])


def test_whitening_makes_nothing_of_nothing():
    assert whitened(torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool)).abs().max() == 0


def test_the_approximate_kl_is_its_formula_and_never_negative():
    # ratio 2: 2 - 1 - ln 2; ratio 1/2: 1/2 - 1 + ln 2
    new = torch.log(torch.tensor([[2.0, 0.5, 7.0]]))
    found = approximate_kl(new, torch.zeros(1, 3), torch.tensor([[True, True, False]]))
    assert found.item() == pytest.approx(0.5)  # 2 - 1 - ln 2, and 0.5 - 1 + ln 2
    assert approximate_kl(torch.randn(9, 9), torch.randn(9, 9), torch.ones(9, 9)) > 0


def test_explained_variance_is_one_for_a_perfect_and_zero_for_a_constant_value():
    returns, mask = torch.tensor([[1.0, 3.0, 99.0]]), torch.tensor([[True, True, False]])
    assert explained_variance(returns, returns, mask) == 1
    assert explained_variance(torch.full((1, 3), 7.0), returns, mask) == 0
    assert explained_variance(torch.tensor([[1.0, 2.0, 0.0]]), returns, mask) == pytest.approx(0.75)
    assert explained_variance(torch.randn(1, 3), torch.ones(1, 3), mask) == 0


@pytest.mark.parametrize("schedule", [warm_cosine, warm_linear])
def test_a_schedule_rises_to_one_and_falls_towards_zero(schedule):
    rates = [schedule(step, 100) for step in range(100)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(1)
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates[5:]))
    assert 0 < rates[-1] < 0.02
    assert schedule(0, 1) == 1


def test_a_long_training_takes_a_lower_rate():
    assert [long_run_factor(n, full_rate_steps=400) for n in (1, 400, 1_600)] == [1.0, 1.0, 0.5]
