"""What PPO knows of a step's answers before it learns from them: per token, under policy, reference and value function.

Shapes: N answers, A answer tokens (padded on the right), B answers of one forward pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modeling.device import Device
from modeling.model.adapter_switching import adapter_active
from modeling.model.batching import Example, pack
from modeling.model.cores import map_parts
from modeling.model.logprobs import answer_logprobs
from modeling.model.reward import RewardModel
from modeling.spec import PPOSpec
from modeling.training.control import RunningSpread
from modeling.training.gae import advantages_estimate
from modeling.training.losses import explained_variance, token_rewards, whitened
from modeling.training.rollouts import POLICY, Answers, reference_adapter
from modeling.training.value import VALUE, ValueModel

TokenFunction = Callable[[Sequence[Example]], tuple[Tensor, ...]]
"""Of B answers, to tensors of shape (B, A)."""


@dataclass(frozen=True)
class Experience:
    """One step's answers and all that the update reads."""

    answers: Answers
    scores: Tensor  # (N,), as the reward model gave them
    mask: Tensor  # this and all that follow (N, A)
    logprobs: Tensor
    entropies: Tensor
    log_ratios: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def figures(self) -> dict[str, float]:
        """Return the step's measurements; the KL is the k1 estimate for whole answers, the entropy is per token."""
        return {
            "reward": float(self.scores.mean()),
            "kl_nats": float(self.log_ratios.double().sum(dim=1).mean()),
            "entropy": float(self.entropies.double().sum() / self.mask.sum()),
            "explained_variance": explained_variance(self.values, self.returns, self.mask),
            **self.answers.figures(),
        }


@torch.no_grad()
def experience_gather(
    spec: PPOSpec,
    answers: Answers,
    reward: RewardModel,
    value: ValueModel,
    *,
    spread: RunningSpread,
    kl_coef: float,
    max_tokens: int,
) -> Experience:
    """Score the answers and estimate their tokens' advantages; adds the scores to the running spread."""
    model, device, examples = reward.model, reward.device, answers.examples

    def evaluate(function: TokenFunction) -> list[Tensor]:
        return tokens_evaluate(function, examples, device, max_tokens=max_tokens)

    def logprobs_of(part: Sequence[Example]) -> tuple[Tensor, ...]:
        return answer_logprobs(model, part, device)

    model.eval()
    with adapter_active(model, POLICY):
        logprobs_NA, entropies_NA = evaluate(logprobs_of)
    with adapter_active(model, reference_adapter(spec)):
        reference_NA, _ = evaluate(logprobs_of)
    with adapter_active(model, VALUE):
        (values_NA,) = evaluate(lambda part: (value.values(part),))
    scores_N = reward.standardised(examples).double()
    spread.add(scores_N.tolist())
    log_ratios_NA, mask_NA = logprobs_NA - reference_NA, answer_mask(examples, device)
    rewards_NA = token_rewards(
        (scores_N / spread.std if spec.normalise_rewards else scores_N).to(device.torch_device), log_ratios_NA,
        mask_NA, answers.cut.to(device.torch_device), kl_coef=kl_coef, cut_penalty=spec.cut_penalty,
    )  # fmt: skip
    advantages_NA, returns_NA = advantages_estimate(
        rewards_NA, values_NA, mask_NA, gamma=spec.gamma, gae_lambda=spec.gae_lambda
    )
    return Experience(
        answers, scores_N, mask_NA, logprobs_NA, entropies_NA, log_ratios_NA, values_NA,
        whitened(advantages_NA, mask_NA), returns_NA,
    )  # fmt: skip


def tokens_evaluate(
    function: TokenFunction, examples: Sequence[Example], device: Device, *, max_tokens: int
) -> list[Tensor]:
    """Return the function's tensors for any number of answers, in their order, zero after each answer's end."""
    groups = pack([len(example) for example in examples], max_tokens=max_tokens)
    width = max(len(example.answer) for example in examples)
    results: list[Tensor] = []
    found = map_parts(device, lambda group: function([examples[i] for i in group]), groups)
    for group, tensors in zip(groups, found, strict=True):
        results = results or [tensor.new_zeros(len(examples), width) for tensor in tensors]
        for result_NA, tensor_BA in zip(results, tensors, strict=True):
            result_NA[group, : tensor_BA.shape[1]] = tensor_BA
    return results


def answer_mask(examples: Sequence[Example], device: Device) -> Tensor:
    """Return mask_NA: which places hold a token of an answer."""
    lengths_N1 = torch.tensor([[len(example.answer)] for example in examples], device=device.torch_device)
    return torch.arange(int(lengths_N1.max()), device=device.torch_device) < lengths_N1
