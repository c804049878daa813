"""The specification of stage `ppo`."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec
from modeling.spec.stages.rewards import RewardSource, require_rewards


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPOSpec(Spec):
    """Online RL with a value function (PPO; Ouyang et al., 2022, https://arxiv.org/abs/2203.02155)."""

    stage = "ppo"

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
    kl_coef: float = 0.07
    kl_target_nats: float = 0.0
    """Above 0 the coefficient is adapted towards this KL of whole answers; at 0 it stays as it is."""
    learning_rate: float = 3e-3
    value_learning_rate: float = 3e-3
    value_warmup_steps: int = 2
    """Steps at the beginning in which only the value function learns."""
    ppo_epochs: int = 1
    minibatches: int = 2
    """Optimizer steps in one epoch over a step's answers."""
    tokens_per_pass: int = 0
    """Tokens in one forward pass, whose gradients are accumulated to a minibatch's; 0 takes what suits the device."""
    clip: float = 0.2
    value_clip: float = 0.2
    gamma: float = 1.0
    gae_lambda: float = 0.95
    stop_kl_nats: float = 0.05
    """Approximate KL to the old policy, per token, from which a step's update leaves the policy alone."""
    normalise_rewards: bool = True
    """Divide scores by the running standard deviation of all scores so far."""
    cut_penalty: float = 3.0
    """Subtracted from the reward of an answer that was cut at the length limit."""
    mix: tuple[FileRef, ...] = ()
    """Texts whose likelihood the policy keeps, so that it forgets less."""
    mix_coef: float = 0.0
    """Weight of their loss (nats per token) beside the policy's."""
    mix_batch_size: int = 4
    """Windows of text in one optimizer step."""
    recompute_activations: bool = False
    """Compute layers a second time on the way back instead of keeping what they held: less memory, more time."""
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
        require(self.kl_target_nats >= 0, f"kl_target_nats must not be negative, not {self.kl_target_nats}.")
        require(self.kl_target_nats == 0 or self.kl_coef > 0, "kl_target_nats needs a kl_coef above 0 to start from.")
        require(0 <= self.value_warmup_steps < self.n_steps, "value_warmup_steps must be less than n_steps.")
        require(1 <= self.ppo_epochs <= 16, f"ppo_epochs must be between 1 and 16, not {self.ppo_epochs}.")
        require(
            1 <= self.minibatches <= self.prompts_per_step * self.samples_per_prompt,
            "minibatches must be between 1 and the number of answers in a step.",
        )
        require(self.tokens_per_pass >= 0, "tokens_per_pass must not be negative.")
        require(0 < self.clip < 1, f"clip must be in (0, 1), not {self.clip}.")
        require(self.value_clip > 0, f"value_clip must be positive, not {self.value_clip}.")
        require(0 <= self.gamma <= 1, f"gamma must be in [0, 1], not {self.gamma}.")
        require(0 <= self.gae_lambda <= 1, f"gae_lambda must be in [0, 1], not {self.gae_lambda}.")
        require(self.stop_kl_nats > 0, f"stop_kl_nats must be positive, not {self.stop_kl_nats}.")
        require(0 <= self.cut_penalty <= 100, f"cut_penalty must be in [0, 100], not {self.cut_penalty}.")
        require(0 <= self.mix_coef <= 1_000, f"mix_coef must be in [0, 1000], not {self.mix_coef}.")
        require(bool(self.mix) == (self.mix_coef > 0), "mix and mix_coef belong together: give both or neither.")
        require(self.mix_batch_size >= 1, "mix_batch_size must be at least 1.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require(self.lora.dropout == 0, "lora.dropout must be 0: the ratio of new to old policy would be its noise.")
        require_learning_rate(self.learning_rate)
        require_learning_rate(self.value_learning_rate)
        self.lora.validate()
