"""The specifications of stages `rloo` and `grpo`: answers judged against their siblings, in two ways."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec
from modeling.spec.stages.rewards import RewardSource, require_rewards


@dataclasses.dataclass(frozen=True, kw_only=True)
class RLOOSpec(Spec):
    """Online RL with a leave-one-out baseline (Ahmadian et al., 2024, https://arxiv.org/abs/2402.14740)."""

    stage = "rloo"

    base: str
    reward: str = ""
    """A reward model's folder, or a list of `rewards` in its place."""
    rewards: tuple[RewardSource, ...] = ()
    prompts: FileRef
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    lora: LoraSpec = LoraSpec()
    n_steps: int = 40
    prompts_per_step: int = 32
    samples_per_prompt: int = 4
    max_new_tokens: int = 64
    kl_coef: float = 0.05
    learning_rate: float = 3e-3
    cut_penalty: float = 3.0
    """Subtracted from the reward of an answer that was cut at the length limit."""
    inner_epochs: int = 1
    """Optimizer steps on each batch of answers; from the second on the ratio to the sampling policy is clipped."""
    clip: float = 0.2
    max_kl_nats: float = 30.0
    """Training ends as diverged when a batch is further than this from the reference: useful policies stay below 10."""
    snapshots: int = 0
    """Adapters kept on the way, at equal distances: `evaluate` draws the over-optimisation curve from them."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require_rewards(self.reward, self.rewards)
        require(1 <= self.n_steps <= 100_000, "n_steps must be between 1 and 100000.")
        require(0 <= self.snapshots <= self.n_steps, "snapshots must be between 0 and n_steps.")
        require(self.prompts_per_step >= 1, "prompts_per_step must be at least 1.")
        require(self.samples_per_prompt >= 2, "samples_per_prompt must be at least 2: the others are the baseline.")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1.")
        require(0 <= self.kl_coef <= 10, f"kl_coef must be in [0, 10], not {self.kl_coef}.")
        require(0 <= self.cut_penalty <= 100, f"cut_penalty must be in [0, 100], not {self.cut_penalty}.")
        require(1 <= self.inner_epochs <= 16, f"inner_epochs must be between 1 and 16, not {self.inner_epochs}.")
        require(0 < self.clip < 1, f"clip must be in (0, 1), not {self.clip}.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()


@dataclasses.dataclass(frozen=True, kw_only=True)
class GRPOSpec(RLOOSpec):
    """Online RL with advantages in units of the siblings' spread and the KL in the loss (GRPO; Shao et al., 2024)."""

    stage = "grpo"

    kl_coef: float = 0.1
    """In the loss the estimate pulls less than in the reward: at most this, however far a token has moved."""
    learning_rate: float = 1e-3
