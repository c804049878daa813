"""The specifications of stages `rloo` and `grpo`: answers judged against their siblings, in two ways."""

import dataclasses

from modeling.spec.base import require
from modeling.spec.stages.online import OnlineSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class RLOOSpec(OnlineSpec):
    """Online RL with a leave-one-out baseline (Ahmadian et al., 2024, https://arxiv.org/abs/2402.14740)."""

    stage = "rloo"

    kl_coef: float = 0.05
    learning_rate: float = 3e-3
    inner_epochs: int = 1
    """Optimizer steps on each batch of answers; from the second on the ratio to the sampling policy is clipped."""

    def validate(self) -> None:
        super().validate()
        require(self.samples_per_prompt >= 2, "samples_per_prompt must be at least 2: the others are the baseline.")
        require(1 <= self.inner_epochs <= 16, f"inner_epochs must be between 1 and 16, not {self.inner_epochs}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRPOSpec(RLOOSpec):
    """Online RL with advantages in units of the siblings' spread and the KL in the loss (GRPO; Shao et al., 2024)."""

    stage = "grpo"

    kl_coef: float = 0.1
    """In the loss the estimate pulls less than in the reward: at most this, however far a token has moved."""
    learning_rate: float = 1e-3
