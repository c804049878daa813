"""The specification of stage `sft`."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class SFTSpec(Spec):
    """Supervised fine-tuning on dialogues; the result is a new frozen base."""

    stage = "sft"

    base: str
    dialogues: tuple[FileRef, ...]
    method: Literal["full", "lora"] = "full"
    lora: LoraSpec = LoraSpec()
    epochs: float = 2.0
    batch_size: int = 16
    learning_rate: float = 1e-3
    max_length: int = 256
    checkpoint_every_s: float = 30.0

    def validate(self) -> None:
        require(bool(self.dialogues), "dialogues: name at least one file.")
        require(self.epochs > 0, "epochs must be positive.")
        require(self.batch_size >= 1, "batch_size must be at least 1.")
        require(self.max_length >= 2, "max_length must be at least 2.")
        require_learning_rate(self.learning_rate)
        require(
            self.method == "lora" or self.lora.quantize == "none",
            "lora.quantize: must be one of none, not '4bit' with method 'full'.",
        )
        self.lora.validate()
