"""What PPO knows of a step's answers before it learns from them: per token, under policy, reference and value function.

Shapes: N answers, A answer tokens (padded on the right), K answer tokens of all answers in a row, D hidden width, F
features of the value function.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor

from modeling.model.reward import RewardModel
from modeling.spec import PPOSpec
from modeling.training.control import RunningSpread
from modeling.training.gae import advantages_estimate
from modeling.training.losses import explained_variance, token_rewards, whitened
from modeling.training.reference import log_ratios, reference_read
from modeling.training.rollouts import Answers, reference_adapter
from modeling.training.value import ValueHead
from modeling.training.value_features import value_features


@dataclass(frozen=True)
class Experience:
    """One step's answers and all that the update reads."""

    answers: Answers
    scores: Tensor  # (N,), before the KL and the penalties
    log_ratios: Tensor  # (N, A), log policy - log reference
    features: Tensor  # (K, F), what the value function reads
    values: Tensor  # this and all that follow (N, A)
    advantages: Tensor
    returns: Tensor

    def figures(self) -> dict[str, float]:
        """Return the step's measurements; the KL is the k1 estimate for whole answers."""
        return {
            "reward": float(self.scores.mean()),
            "kl_nats": float(self.log_ratios.double().sum(dim=1).mean()),
            "explained_variance": explained_variance(self.values, self.returns, self.answers.mask),
            **self.answers.figures(),
        }


@torch.no_grad()
def experience_gather(
    spec: PPOSpec,
    answers: Answers,
    scores_N: Tensor,
    model: PeftModel,
    value: ValueHead,
    *,
    reward_models: Sequence[RewardModel],
    spread: RunningSpread,
    kl_coef: float,
) -> Experience:
    """Estimate the advantages of the tokens of scored answers; adds the scores to the running spread."""
    mask_NA = answers.mask
    reference_NA, states_KD = reference_read(model, reference_adapter(spec), answers, max_tokens=spec.tokens_per_pass)
    features_KF = value_features(model, reward_models, answers, states_KD, max_tokens=spec.tokens_per_pass)
    log_ratios_NA = log_ratios(answers, reference_NA)
    values_NA = tokens_spread(value.values(features_KF), mask_NA)
    spread.add(scores_N.tolist())
    rewards_NA = token_rewards(
        (scores_N / spread.std if spec.normalise_rewards else scores_N).to(mask_NA.device), log_ratios_NA, mask_NA,
        answers.cut.to(mask_NA.device), kl_coef=kl_coef, cut_penalty=spec.cut_penalty,
    )  # fmt: skip
    advantages_NA, returns_NA = advantages_estimate(
        rewards_NA, values_NA, mask_NA, gamma=spec.gamma, gae_lambda=spec.gae_lambda
    )
    return Experience(
        answers, scores_N, log_ratios_NA, features_KF, values_NA, whitened(advantages_NA, mask_NA), returns_NA
    )


def tokens_spread(values_K: Tensor, mask_NA: Tensor) -> Tensor:
    """Return values_NA, each token's value in its answer's row, and zero after each answer's end."""
    return values_K.new_zeros(mask_NA.shape).masked_scatter(mask_NA, values_K)
