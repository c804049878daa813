"""What the answers of an online stage are rewarded for."""

import dataclasses
from collections.abc import Sequence

from modeling.spec.base import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardSource:
    """One thing that an answer is rewarded for: `model`, `function` or `answer`, exactly one of them."""

    model: str = ""
    """A reward model's folder; its scores are standardised by the spread over its training answers."""
    n_std: float = 0.0
    """Of an ensemble: standard deviations of its members' scores that are taken off their mean."""
    function: str = ""
    """A score as `module:function` of (prompt text, answer text). It names code to run: operators alone set it."""
    answer: bool = False
    """1 where the answer ends in the number that the prompt's `answer` ends in, else 0 (GSM8K's rule)."""
    weight: float = 1.0

    def validate(self) -> None:
        """Raises: SpecError."""
        named = sum((bool(self.model), bool(self.function), self.answer))
        require(named == 1, "rewards: each names one of model, function and answer.")
        require(self.function == "" or self.function.count(":") == 1, "function must be written as module:function.")
        require(0 <= self.n_std <= 10, f"n_std must be in [0, 10], not {self.n_std}.")
        require(self.n_std == 0 or bool(self.model), "rewards: n_std needs a model that is an ensemble.")
        require(abs(self.weight) <= 100, f"weight must be in [-100, 100], not {self.weight}.")


def require_rewards(reward: str, rewards: Sequence[RewardSource]) -> None:
    """Raises: SpecError unless there is one reward model or a list of sources."""
    require(bool(reward) != bool(rewards), "name one reward model (reward) or a list of sources (rewards).")
    for source in rewards:
        source.validate()


def reward_sources(reward: str, rewards: Sequence[RewardSource]) -> tuple[RewardSource, ...]:
    """Return the sources that a specification names in either way."""
    return (RewardSource(model=reward),) if reward else tuple(rewards)
