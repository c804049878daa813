"""The specification of stage `ppo`."""

import dataclasses

from modeling.spec.base import FileRef, require, require_learning_rate
from modeling.spec.stages.online import OnlineSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPOSpec(OnlineSpec):
    """Online RL with a value function (PPO; Ouyang et al., 2022, https://arxiv.org/abs/2203.02155)."""

    stage = "ppo"

    prompts_per_step: int = 128
    samples_per_prompt: int = 1
    """One is enough: the value function says what was expected, and other prompts teach more than further answers."""
    kl_coef: float = 0.15
    kl_target_nats: float = 5.5
    """Above 0 the coefficient is adapted towards this KL of whole answers; at 0 it stays as it is."""
    learning_rate: float = 3e-3
    value_learning_rate: float = 3e-3
    value_warmup_steps: int = 2
    """Steps at the beginning in which only the value function learns."""
    ppo_epochs: int = 2
    minibatches: int = 2
    """Optimizer steps in one epoch over a step's answers."""
    tokens_per_pass: int = 0
    """Tokens in one forward pass, whose gradients are accumulated to a minibatch's; 0 takes what suits the device."""
    value_clip: float = 0.2
    gamma: float = 1.0
    gae_lambda: float = 0.95
    stop_kl_nats: float = 0.05
    """Approximate KL to the old policy, per token, from which a step's update leaves the policy alone."""
    normalise_rewards: bool = True
    """Divide scores by the running standard deviation of all scores so far."""
    mix: tuple[FileRef, ...] = ()
    """Texts whose likelihood the policy keeps, so that it forgets less."""
    mix_coef: float = 0.0
    """Weight of their loss (nats per token) beside the policy's."""
    mix_batch_size: int = 4
    """Windows of text in one optimizer step."""
    recompute_activations: bool = False
    """Compute layers a second time on the way back instead of keeping what they held: less memory, more time."""

    def validate(self) -> None:
        super().validate()
        require(self.kl_target_nats >= 0, f"kl_target_nats must not be negative, not {self.kl_target_nats}.")
        require(self.kl_target_nats == 0 or self.kl_coef > 0, "kl_target_nats needs a kl_coef above 0 to start from.")
        require(0 <= self.value_warmup_steps < self.n_steps, "value_warmup_steps must be less than n_steps.")
        require(1 <= self.ppo_epochs <= 16, f"ppo_epochs must be between 1 and 16, not {self.ppo_epochs}.")
        require(
            1 <= self.minibatches <= self.prompts_per_step * self.samples_per_prompt,
            "minibatches must be between 1 and the number of answers in a step.",
        )
        require(self.tokens_per_pass >= 0, "tokens_per_pass must not be negative.")
        require(self.value_clip > 0, f"value_clip must be positive, not {self.value_clip}.")
        require(0 <= self.gamma <= 1, f"gamma must be in [0, 1], not {self.gamma}.")
        require(0 <= self.gae_lambda <= 1, f"gae_lambda must be in [0, 1], not {self.gae_lambda}.")
        require(self.stop_kl_nats > 0, f"stop_kl_nats must be positive, not {self.stop_kl_nats}.")
        require(0 <= self.mix_coef <= 1_000, f"mix_coef must be in [0, 1000], not {self.mix_coef}.")
        require(bool(self.mix) == (self.mix_coef > 0), "mix and mix_coef belong together: give both or neither.")
        require(self.mix_batch_size >= 1, "mix_batch_size must be at least 1.")
        require(self.lora.dropout == 0, "lora.dropout must be 0: the ratio of new to old policy would be its noise.")
        require_learning_rate(self.value_learning_rate)
