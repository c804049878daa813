"""What a value function reads before each token of an answer: what the models at hand make of the answer so far.

The states of the reference are there for the KL. Those of a reward model cost one more pass, and beside them stands
what its head says so far: an answer's score is the last value and the mean of all, and no state knows the mean.
How much of the returns each of them explained: docs/experiments.md.

Shapes: K answer tokens of all answers in a row, D hidden width of the base, F features.
"""

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch import Tensor

from modeling.model.reward import RewardModel
from modeling.training.reference import states_read
from modeling.training.rollouts import Answers

LONG_ANSWER_TOKENS = 64
"""Places in an answer are told in units of this."""


def value_width(hidden_width: int, n_reward_models: int) -> int:
    """Return F."""
    return hidden_width + 1 + n_reward_models * (hidden_width + 2)


@torch.no_grad()
def value_features(
    model: PeftModel,
    reward_models: Sequence[RewardModel],
    answers: Answers,
    reference_KD: Tensor,
    *,
    max_tokens: int = 0,
) -> Tensor:
    """Return features_KF: the token's place, and of the reference and each reward model what it knows before it."""
    lengths = [len(example.answer) for example in answers.examples]
    places_K = torch.cat([torch.arange(length) for length in lengths]).to(reference_KD)
    features = [reference_KD, places_K.unsqueeze(1) / LONG_ANSWER_TOKENS]
    for reward in reward_models:
        states_KD = states_read(model, reward.name, answers, max_tokens=max_tokens)
        values_K = reward.values(states_KD)
        means_K = torch.cat([means_before(values_A) for values_A in values_K.split(lengths)])
        features += [states_KD, torch.stack([values_K, means_K], dim=1)]
    return torch.cat(features, dim=1)


def means_before(values_A: Tensor) -> Tensor:
    """Return means_A, at each token that of the values of the answer's tokens before it; 0 at the first.

    `values_A` are read before each token: the first of them is the prompt's.
    """
    sums_A = torch.cat([values_A.new_zeros(1), values_A[1:].cumsum(dim=0)])
    return sums_A / torch.arange(len(values_A), device=values_A.device).clamp(min=1)
