"""The formulas of reward modelling on tensors alone: P pairs, d the score of the chosen answer less the other's.

Ties follow Davidson's extension of Bradley and Terry: with nu >= 0, chances of chosen, rejected and tie are as
exp(d / 2) : exp(-d / 2) : nu. Given that there is no tie they are Bradley and Terry's, and with nu = 0 all of it is.
(Rao and Kupper's model, 1967, has no such property, so its scores would change meaning with the number of ties.)

Source: Bradley and Terry, 1952; Davidson, 1970, JASA 65(329), equation 2.4; as losses of reward models Ouyang et al.,
2022 (https://arxiv.org/abs/2203.02155), equation 1; margins Touvron et al., 2023 (https://arxiv.org/abs/2307.09288),
equation 2.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

LN_2 = math.log(2.0)
"""The Bradley-Terry loss of a model that knows nothing: every pair at probability one half."""


def preference_losses(
    differences_P: Tensor, *, targets_P: Tensor, margins_P: Tensor, ties_P: Tensor, tie_odds: float
) -> Tensor:
    """Return each pair's negative log-likelihood; for a tie that of a tie, else that of its two orders by its target.

    `targets_P` is the probability that the chosen answer is better, `margins_P` what its score must be ahead by to
    count as even, `ties_P` is true for ties, and `tie_odds` is nu; it is positive where there are ties.
    """
    stated_P = _win_losses(differences_P - margins_P, tie_odds)
    reversed_P = _win_losses(-differences_P - margins_P, tie_odds)
    losses_P = targets_P * stated_P + (1 - targets_P) * reversed_P
    if not bool(ties_P.any()):
        return losses_P
    tie_losses_P = torch.log1p(tie_odds * _evenness(differences_P)) - math.log(tie_odds) - _log_evenness(differences_P)
    return torch.where(ties_P, tie_losses_P, losses_P)


def bradley_terry_losses(differences_P: Tensor, targets_P: Tensor) -> Tensor:
    """Return the cross entropy of sigmoid(d) with the targets: ln 2 for a model that knows nothing."""
    return -targets_P * functional.logsigmoid(differences_P) - (1 - targets_P) * functional.logsigmoid(-differences_P)


def tie_odds_of(tie_share: float) -> float:
    """Return the nu by which two equally good answers tie with this probability, which is below 1."""
    return 2 * tie_share / (1 - tie_share)


def pairs_right(differences_P: Tensor, targets_P: Tensor) -> Tensor:
    """Return per pair whether the likelier winner scores strictly higher: equal scores count as wrong.

    A collapsed reward model gives every answer the same score; counting that as right would call it perfect.
    """
    return torch.where(targets_P > 0.5, differences_P > 0, differences_P < 0)


def _win_losses(differences_P: Tensor, tie_odds: float) -> Tensor:
    """Return -log of the chance of the first of two: log(1 + exp(-d) + nu exp(-d / 2))."""
    return -functional.logsigmoid(differences_P) + torch.log1p(tie_odds * _evenness(differences_P))


def _evenness(differences_P: Tensor) -> Tensor:
    """Return 1 / (exp(d / 2) + exp(-d / 2)), by which a tie's chance over that of a win of either is nu times."""
    return torch.exp(_log_evenness(differences_P))


def _log_evenness(differences_P: Tensor) -> Tensor:
    sizes_P = differences_P.abs()
    return -sizes_P / 2 - torch.log1p(torch.exp(-sizes_P))
