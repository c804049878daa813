"""The losses of the offline stages, on tensors alone: no model, no data, no loop.

All take log-ratios, log policy - log reference of a whole answer in nats, and return one loss each.

One rule makes all pair losses weigh doubt: where the chosen answer is the better one with probability t, the loss is
t * loss(chosen, rejected) + (1 - t) * loss(rejected, chosen), what it would be on average over the truth. Label
smoothing moves t towards one half, a tie is one half, and the robust loss moves t the other way.

Shapes: P pairs, N answers.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

PairLoss = Callable[[Tensor, Tensor, float], Tensor]
"""(chosen_P, rejected_P, beta) -> losses_P of pairs whose chosen answers are surely the better ones."""


def sigmoid_losses(chosen_P: Tensor, rejected_P: Tensor, beta: float) -> Tensor:
    """Return -log sigmoid(beta * (chosen - rejected)).

    Source: DPO, Rafailov et al., 2023 (https://arxiv.org/abs/2305.18290), eq. 7.
    """
    return -functional.logsigmoid(beta * (chosen_P - rejected_P))


def hinge_losses(chosen_P: Tensor, rejected_P: Tensor, beta: float) -> Tensor:
    """Return max(0, 1 - beta * (chosen - rejected)).

    Source: SLiC, Zhao et al., 2023 (https://arxiv.org/abs/2305.10425), eq. 5, on log-ratios with a margin of 1.
    """
    return functional.relu(1 - beta * (chosen_P - rejected_P))


def ipo_losses(chosen_P: Tensor, rejected_P: Tensor, beta: float) -> Tensor:
    """Return (chosen - rejected - 1 / (2 beta))^2 on log-ratios that are means over an answer's tokens.

    Means, not sums, make one beta fit answers of any length; trl's authors had this confirmed by the paper's.
    Source: IPO, Azar et al., 2023 (https://arxiv.org/abs/2310.12036), eq. 17.
    """
    return (chosen_P - rejected_P - 1 / (2 * beta)) ** 2


def apo_zero_losses(chosen_P: Tensor, rejected_P: Tensor, beta: float) -> Tensor:
    """Return 1 - sigmoid(beta * chosen) + sigmoid(beta * rejected): chosen answers up, rejected ones down.

    Source: APO, D'Oosterlinck et al., 2024 (https://arxiv.org/abs/2408.06266), eq. 7.
    """
    return 1 - torch.sigmoid(beta * chosen_P) + torch.sigmoid(beta * rejected_P)


def apo_down_losses(chosen_P: Tensor, rejected_P: Tensor, beta: float) -> Tensor:
    """Return sigmoid(beta * chosen) + 1 - sigmoid(beta * (chosen - rejected)): both down, rejected answers further.

    Source: APO, D'Oosterlinck et al., 2024 (https://arxiv.org/abs/2408.06266), eq. 8.
    """
    return torch.sigmoid(beta * chosen_P) + 1 - torch.sigmoid(beta * (chosen_P - rejected_P))


PAIR_LOSSES: Mapping[str, PairLoss] = {
    "sigmoid": sigmoid_losses,
    "robust": sigmoid_losses,  # on targets that `debiased_targets` made
    "ipo": ipo_losses,
    "hinge": hinge_losses,
    "apo_zero": apo_zero_losses,
    "apo_down": apo_down_losses,
}


def expected_losses(loss: PairLoss, chosen_P: Tensor, rejected_P: Tensor, targets_P: Tensor, *, beta: float) -> Tensor:
    """Return the loss averaged over which answer is truly the better one, chosen with probability `targets`.

    With the sigmoid loss this is conservative DPO (Mitchell, 2023, https://ericmitchell.ai/cdpo.pdf, eq. 3).
    """
    right_P, wrong_P = loss(chosen_P, rejected_P, beta), loss(rejected_P, chosen_P, beta)
    return targets_P * right_P + (1 - targets_P) * wrong_P


def smoothed_targets(targets_P: Tensor, smoothing: float) -> Tensor:
    """Return the probability that the chosen answer is the better one if a share `smoothing` of labels is flipped."""
    return targets_P * (1 - 2 * smoothing) + smoothing


def debiased_targets(targets_P: Tensor, smoothing: float) -> Tensor:
    """Return the targets that undo a share `smoothing` (below one half) of flipped labels: smoothing's inverse.

    The expected loss over noisy labels is then that over clean ones; a target may lie outside [0, 1].
    Source: robust DPO, Chowdhury et al., 2024 (https://arxiv.org/abs/2403.00409).
    """
    return (targets_P - smoothing) / (1 - 2 * smoothing)


def kto_losses(log_ratios_N: Tensor, desirable_N: Tensor, kl: Tensor, *, beta: float) -> Tensor:
    """Return 1 - sigmoid(beta * (log-ratio - kl)), with the sign turned for answers that are not desirable.

    Source: KTO, Ethayarajh et al., 2024 (https://arxiv.org/abs/2402.01306), without its weights.
    """
    signs_N = torch.where(desirable_N, 1.0, -1.0)
    return 1 - torch.sigmoid(beta * signs_N * (log_ratios_N - kl))
