import math

import pytest
import torch

from modeling.training.reward_losses import (
    LN_2,
    bradley_terry_losses,
    pairs_right,
    preference_losses,
    tie_odds_of,
)


def losses(differences, *, targets=1.0, margins=0.0, ties=False, tie_odds=0.0):
    differences = torch.as_tensor(differences, dtype=torch.float64)

    def column(value):
        return torch.as_tensor(value, dtype=torch.float64).expand(len(differences))

    return preference_losses(
        differences, targets_P=column(targets), margins_P=column(margins),
        ties_P=torch.as_tensor(ties).expand(len(differences)), tie_odds=tie_odds,
    )  # fmt: skip


def test_without_ties_it_is_minus_log_of_the_probability_that_chosen_wins():
    # sigmoid(ln 3) = 3/4 and sigmoid(-ln 3) = 1/4
    assert losses([math.log(3), -math.log(3), 0.0]).tolist() == pytest.approx([math.log(4 / 3), math.log(4), LN_2])


def test_a_soft_label_mixes_the_losses_of_both_orders():
    # 0.8 ln(4/3) + 0.2 ln 4
    assert losses([math.log(3)], targets=0.8).item() == pytest.approx(0.8 * math.log(4 / 3) + 0.2 * math.log(4))
    assert bradley_terry_losses(torch.tensor([math.log(3)]), torch.tensor([0.8])).item() == pytest.approx(
        0.8 * math.log(4 / 3) + 0.2 * math.log(4)
    )


def test_a_stronger_preference_must_be_won_by_its_margin():
    assert losses([2.0], margins=2.0).item() == pytest.approx(LN_2)


def test_turning_a_pair_round_with_its_target_changes_nothing():
    forwards = losses([0.7, -1.2], targets=[0.9, 0.3], margins=[0.5, 1.0], tie_odds=0.4)
    backwards = losses([-0.7, 1.2], targets=[0.1, 0.7], margins=[0.5, 1.0], tie_odds=0.4)
    assert forwards.tolist() == pytest.approx(backwards.tolist())


def test_ties_follow_davidson():
    # Strengths 4 and 1, nu = 1: worths 4, 1 and nu sqrt(4 * 1) = 2, of 7 in all.
    d = math.log(4)
    assert losses([d], tie_odds=1.0).item() == pytest.approx(math.log(7 / 4))
    assert losses([-d], tie_odds=1.0).item() == pytest.approx(math.log(7))
    assert losses([d, -d], ties=True, tie_odds=1.0).tolist() == pytest.approx([math.log(7 / 2)] * 2)


def test_the_chances_of_win_loss_and_tie_add_up_to_one_at_any_distance():
    far = torch.linspace(-300, 300, 61, dtype=torch.float64)
    chances = [losses(far, tie_odds=0.7), losses(-far, tie_odds=0.7), losses(far, ties=True, tie_odds=0.7)]
    assert sum(torch.exp(-loss) for loss in chances).tolist() == pytest.approx([1.0] * 61)


def test_gradients_are_those_of_finite_differences_also_far_out():
    ties = torch.tensor([False, False, True, True, True, False])
    differences = torch.tensor([0.3, -2.0, 0.5, -1.5, 40.0, -400.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda d: losses(d, targets=[1.0, 0.8, 0.5, 0.5, 0.5, 0.6], margins=0.3, ties=ties, tie_odds=0.6), differences
    )


def test_a_tie_pulls_two_scores_together():
    differences = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
    losses(differences, ties=True, tie_odds=0.5).sum().backward()
    assert differences.grad[0] > 0 > differences.grad[1]


def test_equally_good_answers_tie_as_often_as_the_data_says():
    odds = tie_odds_of(0.2)
    assert math.exp(-losses([0.0], ties=True, tie_odds=odds).item()) == pytest.approx(0.2)
    assert tie_odds_of(0.0) == 0


def test_equal_scores_count_as_wrong():
    differences, targets = torch.tensor([1.0, 0.0, -1.0, -1.0]), torch.tensor([1.0, 1.0, 1.0, 0.2])
    assert pairs_right(differences, targets).tolist() == [True, False, False, True]
