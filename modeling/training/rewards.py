"""What sampled answers are rewarded for: a weighted sum of reward models, functions and answers that can be checked.

Reward models are adapters on the base that the policy sits on too. Knows no KL and no loss. Shapes: N answers.
"""

from collections.abc import Callable, Sequence

import torch
from peft import PeftModel
from torch import Tensor

from modeling.data.checkable import is_right, last_number
from modeling.data.prompts import Prompt
from modeling.device import Device
from modeling.errors import BadInput, Refused
from modeling.evaluation.judges import gold_function
from modeling.model.reward import RewardModel, reward_model_load
from modeling.spec import OnlineSpec, RewardSource
from modeling.spec.stages.rewards import reward_sources
from modeling.training.rollouts import Answers

Scoring = Callable[[Answers], Tensor]
"""To scores_N."""


class Rewards:
    """The weighted sum of some ways of scoring.

    `models` are the reward models among them, of an ensemble the first member: what they see in an answer that is not
    yet written tells a value function more than its score can.
    """

    def __init__(self, weighted: Sequence[tuple[float, Scoring]], *, models: Sequence[RewardModel] = ()) -> None:
        self.weighted, self.models = weighted, tuple(models)

    def scores(self, answers: Answers) -> Tensor:
        """Return scores_N in float64 on the CPU. Raises: Refused when one is not a finite number."""
        scores_N = torch.stack([weight * scoring(answers).double() for weight, scoring in self.weighted]).sum(dim=0)
        if not scores_N.isfinite().all():
            raise Refused("A reward is not a finite number: look at what the reward sources give for these answers.")
        return scores_N


def rewards_load(
    spec: OnlineSpec, model: PeftModel, prompts: Sequence[Prompt], device: Device, *, base_sha256: str
) -> Rewards:
    """Put the reward models on the policy's base and find the functions. Raises: BadInput."""
    sources = reward_sources(spec.reward, spec.rewards)
    if any(source.answer for source in sources):
        answers_check(prompts)
    weighted, models = [], []
    for number, source in enumerate(sources):
        if source.model:
            reward = reward_model_load(model, source.model, device, base_sha256=base_sha256, name=f"reward-{number}")
            models.append(reward)
            weighted.append((source.weight, _by_model(source, reward)))
        else:
            weighted.append((source.weight, _right if source.answer else _by_function(source)))
    return Rewards(weighted, models=models)


def answers_check(prompts: Sequence[Prompt]) -> None:
    """Raises: BadInput when a prompt has no expected answer with a number in it."""
    without = next((prompt for prompt in prompts if last_number(prompt.answer) is None), None)
    if without:
        raise BadInput(f"The prompt {without.id} has no 'answer' with a number: only such prompts can be checked.")


def _by_model(source: RewardSource, reward: RewardModel) -> Scoring:
    if source.n_std == 0:
        return lambda answers: reward.standardised(answers.examples)
    if len(reward.members) == 1:
        raise BadInput(f"{source.model} is one reward model: n_std needs an ensemble, made by reward's n_models.")
    return lambda answers: reward.lower_bound(answers.examples, n_std=source.n_std)


def _by_function(source: RewardSource) -> Scoring:
    function = gold_function(source.function)
    return lambda answers: torch.tensor([
        function(prompt.text, text) for prompt, text in zip(answers.prompt_of_each, answers.texts, strict=True)
    ])  # fmt: skip


def _right(answers: Answers) -> Tensor:
    pairs = zip(answers.prompt_of_each, answers.texts, strict=True)
    return torch.tensor([float(is_right(text, prompt.answer)) for prompt, text in pairs])
