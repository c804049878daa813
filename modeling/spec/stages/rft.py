"""The specification of stage `rft`."""

import dataclasses

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class RFTSpec(Spec):
    """Rejection-sampling fine-tuning: the policy learns the best of its own answers (Touvron et al., 2023)."""

    stage = "rft"

    base: str
    reward: str
    prompts: FileRef
    adapter: str = ""
    """Adapter to sample from and to continue; empty samples from the base and starts a fresh one."""
    lora: LoraSpec = LoraSpec()
    n_prompts: int = 1_000
    """How many of the prompts are drawn; all of them where there are not so many."""
    samples_per_prompt: int = 8
    prompts_per_step: int = 64
    """Prompts that are sampled together, between two looks at whether to stop."""
    max_new_tokens: int = 64
    margin: float = 0.0
    """How far above the mean of its prompt's answers the best must be to be kept, in units of the reward's spread."""
    epochs: float = 2.0
    batch_size: int = 16
    learning_rate: float = 1e-3
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(self.samples_per_prompt >= 2, "samples_per_prompt must be at least 2.")
        require(self.n_prompts >= 1, "n_prompts must be at least 1.")
        require(self.prompts_per_step >= 1, "prompts_per_step must be at least 1.")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1.")
        require(0 <= self.margin <= 100, f"margin must be in [0, 100], not {self.margin}.")
        require(self.epochs > 0, "epochs must be positive.")
        require(self.batch_size >= 1, "batch_size must be at least 1.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
