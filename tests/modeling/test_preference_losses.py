import math

import pytest
import torch

from modeling.training.preference_losses import (
    PAIR_LOSSES,
    apo_down_losses,
    apo_zero_losses,
    debiased_targets,
    expected_losses,
    hinge_losses,
    ipo_losses,
    kto_losses,
    sigmoid_losses,
    smoothed_targets,
)

LN_3 = math.log(3.0)  # sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("loss", "chosen", "rejected", "beta", "expected"),
    [
        (sigmoid_losses, LN_3, -LN_3, 0.5, -math.log(0.75)),
        (sigmoid_losses, 1.0, 1.0, 0.3, math.log(2)),
        (hinge_losses, 3.0, 1.0, 0.25, 0.5),
        (hinge_losses, 3.0, 1.0, 1.0, 0.0),
        (ipo_losses, 0.5, 0.25, 0.5, 0.5625),  # (0.25 - 1)^2
        (ipo_losses, 2.0, 1.0, 0.5, 0.0),
        (apo_zero_losses, LN_3, -LN_3, 1.0, 0.5),  # 1/4 + 1/4
        (apo_zero_losses, -LN_3, LN_3, 1.0, 1.5),
        (apo_down_losses, -LN_3, -2 * LN_3, 1.0, 0.5),  # 1/4 + 1 - 3/4
        (apo_down_losses, LN_3, LN_3, 1.0, 1.25),
    ],
)
def test_losses_match_numbers_worked_out_by_hand(loss, chosen, rejected, beta, expected):
    assert loss(tensor(chosen), tensor(rejected), beta).item() == pytest.approx(expected)


def test_label_smoothing_mixes_in_the_loss_of_the_opposite_label():
    targets = smoothed_targets(tensor(1.0), 0.1)
    found = expected_losses(sigmoid_losses, tensor(LN_3), tensor(0.0), targets, beta=1.0)
    assert found.item() == pytest.approx(-0.9 * math.log(0.75) - 0.1 * math.log(0.25))


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_a_tie_costs_the_same_either_way_round_and_pulls_an_equal_pair_nowhere(name):
    chosen, rejected, tie = tensor(0.7), tensor(-0.4), tensor(0.5)
    one = expected_losses(PAIR_LOSSES[name], chosen, rejected, tie, beta=0.5)
    other = expected_losses(PAIR_LOSSES[name], rejected, chosen, tie, beta=0.5)
    assert one.item() == pytest.approx(other.item())
    margin = tensor(0.0).requires_grad_()
    expected_losses(PAIR_LOSSES[name], margin, -margin, tie, beta=0.5).sum().backward()
    assert margin.grad.item() == pytest.approx(0.0, abs=1e-12)


def test_a_half_smoothed_ipo_pair_is_drawn_to_half_of_its_margin():
    """Expected squares are least at (2t - 1) / (2 beta): t = 3/4 and beta = 1/2 make a half."""
    margin = tensor(0.5).requires_grad_()
    expected_losses(ipo_losses, margin, tensor(0.0), tensor(0.75), beta=0.5).sum().backward()
    assert margin.grad.item() == pytest.approx(0.0, abs=1e-12)


def test_robust_targets_undo_smoothing():
    targets = tensor(1.0, 0.8, 0.5, 0.0)
    assert debiased_targets(smoothed_targets(targets, 0.2), 0.2).tolist() == pytest.approx(targets.tolist())


def test_the_robust_loss_is_the_clean_loss_on_average_over_flipped_labels():
    """Chowdhury et al., 2024: with labels flipped at rate e, E[robust loss] = the loss of the true label."""
    chosen, rejected, rate = tensor(0.9), tensor(-0.3), 0.3
    certain = debiased_targets(tensor(1.0), rate)
    as_said = expected_losses(sigmoid_losses, chosen, rejected, certain, beta=0.5)
    flipped = expected_losses(sigmoid_losses, rejected, chosen, certain, beta=0.5)
    clean = sigmoid_losses(chosen, rejected, 0.5)
    assert ((1 - rate) * as_said + rate * flipped).item() == pytest.approx(clean.item())


def test_kto_matches_numbers_worked_out_by_hand():
    log_ratios, desirable = tensor(LN_3 + 0.5, LN_3 + 0.5, 0.5), torch.tensor([True, False, False])
    found = kto_losses(log_ratios, desirable, torch.tensor(0.5), beta=1.0)
    assert found.tolist() == pytest.approx([0.25, 0.75, 0.5])
