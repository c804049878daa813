"""The formulas of online training, on tensors alone: no model, no data, no loop.

Shapes: N samples, G prompts, S samples of a prompt, A answer tokens (padded).
"""

import torch
from torch import Tensor

NORMALISING_EPSILON = 1e-4
"""Of scores that vary by about one: siblings that differ by less are as good as equal."""
WHITENING_EPSILON = 1e-8
"""Keeps advantages that are all zero but for rounding from being blown up to size one: by at most 10,000."""


def leave_one_out_advantages(rewards_GS: Tensor) -> Tensor:
    """Return each sample's reward minus the mean reward of the prompt's other samples.

    Source: Kool et al., 2019; Ahmadian et al., 2024 (https://arxiv.org/abs/2402.14740), section 3.2.
    """
    n_samples = rewards_GS.shape[1]
    others_GS = (rewards_GS.sum(dim=1, keepdim=True) - rewards_GS) / (n_samples - 1)
    return rewards_GS - others_GS


def group_normalised_advantages(rewards_GS: Tensor) -> Tensor:
    """Return each sample's distance from its prompt's mean reward in standard deviations; 0 where all are the same.

    Source: GRPO, Shao et al., 2024 (https://arxiv.org/abs/2402.03300), section 4.1.2.
    """
    centred_GS = rewards_GS - rewards_GS.mean(dim=1, keepdim=True)
    return centred_GS / (rewards_GS.std(dim=1, keepdim=True) + NORMALISING_EPSILON)


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
    return clipped_policy_loss(logprobs_NA, old_logprobs_NA, advantages_N.unsqueeze(1), mask_NA, clip=clip)


def clipped_policy_loss(
    logprobs_NA: Tensor, old_logprobs_NA: Tensor, advantages_NA: Tensor, mask_NA: Tensor, *, clip: float
) -> Tensor:
    """Return the clipped surrogate summed over answer tokens, each with an advantage of its own.

    Source: Schulman et al., 2017 (https://arxiv.org/abs/1707.06347), eq. 7.
    """
    ratio_NA = torch.exp(logprobs_NA - old_logprobs_NA)
    losses_NA = -torch.minimum(ratio_NA * advantages_NA, ratio_NA.clamp(1 - clip, 1 + clip) * advantages_NA)
    return (losses_NA * mask_NA).sum()


def grpo_loss(
    logprobs_NA: Tensor,
    old_logprobs_NA: Tensor,
    reference_NA: Tensor,
    advantages_N: Tensor,
    mask_NA: Tensor,
    *,
    clip: float,
    kl_coef: float,
) -> Tensor:
    """Return the clipped surrogate plus kl_coef times the k3 estimate of the KL: the sum of the means of the answers.

    The KL is that of the policy to its reference, estimated on the policy's own tokens.
    Source: GRPO, Shao et al., 2024 (https://arxiv.org/abs/2402.03300), eq. 3 and 4.
    """
    ratio_NA = torch.exp(logprobs_NA - old_logprobs_NA)
    advantages_N1 = advantages_N.unsqueeze(1)
    gains_NA = torch.minimum(ratio_NA * advantages_N1, ratio_NA.clamp(1 - clip, 1 + clip) * advantages_N1)
    log_ratios_NA = (reference_NA - logprobs_NA) * mask_NA
    losses_NA = kl_coef * (torch.expm1(log_ratios_NA) - log_ratios_NA) - gains_NA
    return ((losses_NA * mask_NA).sum(dim=1) / mask_NA.sum(dim=1)).sum()


def clipped_value_loss(
    values_NA: Tensor, old_values_NA: Tensor, returns_NA: Tensor, mask_NA: Tensor, *, clip: float
) -> Tensor:
    """Return half the squared error summed over answer tokens; beyond `clip` from the old value nothing is gained.

    Source: Schulman et al., 2017, as in OpenAI's baselines (https://github.com/openai/baselines, ppo2).
    """
    near_NA = old_values_NA + (values_NA - old_values_NA).clamp(-clip, clip)
    losses_NA = torch.maximum((values_NA - returns_NA) ** 2, (near_NA - returns_NA) ** 2)
    return 0.5 * (losses_NA * mask_NA).sum()


def token_rewards(
    scores_N: Tensor, log_ratios_NA: Tensor, mask_NA: Tensor, cut_N: Tensor, *, kl_coef: float, cut_penalty: float
) -> Tensor:
    """Return -kl_coef * (log policy - log reference) of each token, and score - cut_penalty on the last one besides.

    Source: Ziegler et al., 2019 (https://arxiv.org/abs/1909.08593), eq. 2, spread over the tokens.
    """
    rewards_NA = -kl_coef * log_ratios_NA * mask_NA
    last_N1 = mask_NA.sum(dim=1, keepdim=True) - 1
    ends_N = scores_N - cut_penalty * cut_N.to(scores_N.dtype)
    return rewards_NA.scatter_add(1, last_N1, ends_N.to(rewards_NA).unsqueeze(1))


def whitened(values_NA: Tensor, mask_NA: Tensor) -> Tensor:
    """Return values with mean 0 and variance 1 over all answer tokens, and 0 elsewhere."""
    n_tokens = mask_NA.sum()
    centred_NA = (values_NA - (values_NA * mask_NA).sum() / n_tokens) * mask_NA
    variance = (centred_NA**2).sum() / n_tokens
    return centred_NA * torch.rsqrt(variance + WHITENING_EPSILON)


def approximate_kl(logprobs_NA: Tensor, old_logprobs_NA: Tensor, mask_NA: Tensor) -> Tensor:
    """Return the k3 estimate of the KL from the old policy to this one, summed over answer tokens: never negative.

    Source: http://joschu.net/blog/kl-approx.html.
    """
    log_ratios_NA = logprobs_NA - old_logprobs_NA
    return ((torch.expm1(log_ratios_NA) - log_ratios_NA) * mask_NA).sum()


def explained_variance(values_NA: Tensor, returns_NA: Tensor, mask_NA: Tensor) -> float:
    """Return 1 - Var(returns - values) / Var(returns) over answer tokens; 0 where all returns are the same."""
    returns_K, values_K = returns_NA[mask_NA].double(), values_NA[mask_NA].double()
    spread = float(returns_K.var(correction=0))
    return 1.0 - float((returns_K - values_K).var(correction=0)) / spread if spread > 0 else 0.0
