"""What the specifications of the online stages have in common: a policy that answers prompts while it trains."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec
from modeling.spec.stages.rewards import RewardSource, require_rewards


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnlineSpec(Spec):
    """An adapter that samples answers to prompts, step by step, and climbs what they are rewarded with."""

    base: str
    reward: str = ""
    """A reward model's folder, or a list of `rewards` in its place."""
    rewards: tuple[RewardSource, ...] = ()
    prompts: FileRef
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    """What the KL is taken to: the SFT base, or the adapter that training starts from."""
    lora: LoraSpec = LoraSpec()
    n_steps: int = 40
    prompts_per_step: int = 32
    samples_per_prompt: int = 4
    max_new_tokens: int = 64
    kl_coef: float
    learning_rate: float
    clip: float = 0.2
    cut_penalty: float = 3.0
    """Subtracted from the reward of an answer that was cut at the length limit."""
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
        require(self.samples_per_prompt >= 1, "samples_per_prompt must be at least 1.")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1.")
        require(0 <= self.kl_coef <= 100, f"kl_coef must be in [0, 100], not {self.kl_coef}.")
        require(0 < self.clip < 1, f"clip must be in (0, 1), not {self.clip}.")
        require(0 <= self.cut_penalty <= 100, f"cut_penalty must be in [0, 100], not {self.cut_penalty}.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
