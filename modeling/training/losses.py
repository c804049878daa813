"""The formulas of preference training, on tensors alone: no model, no data, no loop.

Shapes: P pairs, N samples, G prompts, S samples of a prompt, A answer tokens (padded).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

LN_2 = math.log(2.0)
"""The Bradley-Terry loss of a model that knows nothing: every pair at probability one half."""


def bradley_terry_losses(chosen_P: Tensor, rejected_P: Tensor) -> Tensor:
    """Return -log sigmoid(chosen - rejected) per pair.

    Source: Bradley and Terry, 1952; for reward models Ouyang et al., 2022 (https://arxiv.org/abs/2203.02155), eq. 1.
    """
    return -functional.logsigmoid(chosen_P - rejected_P)


def pairs_right(chosen_P: Tensor, rejected_P: Tensor) -> Tensor:
    """Return per pair whether the chosen answer scores strictly higher: a tie counts as wrong.

    A collapsed reward model gives every answer the same score; counting ties as right would call it perfect.
    """
    return chosen_P > rejected_P


def leave_one_out_advantages(rewards_GS: Tensor) -> Tensor:
    """Return each sample's reward minus the mean reward of the prompt's other samples.

    Source: Kool et al., 2019; Ahmadian et al., 2024 (https://arxiv.org/abs/2402.14740), section 3.2.
    """
    n_samples = rewards_GS.shape[1]
    others_GS = (rewards_GS.sum(dim=1, keepdim=True) - rewards_GS) / (n_samples - 1)
    return rewards_GS - others_GS


def sequence_rewards(
    scores_N: Tensor, log_ratios_N: Tensor, cut_N: Tensor, *, kl_coef: float, cut_penalty: float
) -> Tensor:
    """Return score - kl_coef * (log policy - log reference) - cut_penalty for a cut answer.

    The log-ratio of the whole answer is the k1 estimate of the KL (http://joschu.net/blog/kl-approx.html): unbiased,
    and inside the reward (not the loss) its gradient is that of the KL itself.
    """
    return scores_N - kl_coef * log_ratios_N - cut_penalty * cut_N.to(scores_N.dtype)


def policy_gradient_loss(
    logprobs_NA: Tensor, old_logprobs_NA: Tensor, advantages_N: Tensor, mask_NA: Tensor, *, clip: float
) -> Tensor:
    """Return the clipped surrogate summed over answer tokens, every token carrying its whole answer's advantage.

    While policy and sampler are the same the ratio is one and this is REINFORCE: the gradient is the sum of
    -advantage * grad log pi(answer).
    Source: Williams, 1992; clipping from Schulman et al., 2017 (https://arxiv.org/abs/1707.06347), eq. 7.
    """
    ratio_NA = torch.exp(logprobs_NA - old_logprobs_NA)
    advantages_N1 = advantages_N.unsqueeze(1)
    losses_NA = -torch.minimum(ratio_NA * advantages_N1, ratio_NA.clamp(1 - clip, 1 + clip) * advantages_N1)
    return (losses_NA * mask_NA).sum()
