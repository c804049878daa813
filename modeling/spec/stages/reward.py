"""The specification of stage `reward`."""

import dataclasses

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardSpec(Spec):
    """A Bradley-Terry reward model: a LoRA adapter and a scalar head on the frozen base."""

    stage = "reward"

    base: str
    preferences: tuple[FileRef, ...]
    lora: LoraSpec = LoraSpec(dropout=0.3)
    """With a few hundred rankings dropout is what keeps the adapter from learning them by heart."""
    epochs: float = 2.0
    batch_pairs: int = 32
    learning_rate: float = 3e-3
    max_length: int = 256
    folds: int = 5
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.preferences), "preferences: name at least one file.")
        require(self.epochs > 0, "epochs must be positive.")
        require(2 <= self.folds <= 20, "folds must be between 2 and 20.")
        require(self.batch_pairs >= 1, "batch_pairs must be at least 1.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
