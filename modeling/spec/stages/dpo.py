"""The specification of stage `dpo`."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class DPOSpec(Spec):
    """Direct preference optimisation (Rafailov et al., 2023, https://arxiv.org/abs/2305.18290)."""

    stage = "dpo"

    base: str
    preferences: tuple[FileRef, ...]
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    """What the KL is taken to: the SFT base, or the adapter that training starts from."""
    lora: LoraSpec = LoraSpec()
    beta: float = 0.3
    epochs: float = 2.0
    batch_pairs: int = 32
    learning_rate: float = 1e-3
    max_length: int = 256
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.preferences), "preferences: name at least one file.")
        require(0 < self.beta <= 10, f"beta must be in (0, 10], not {self.beta}.")
        require(0 < self.epochs <= 100, "epochs must be in (0, 100].")
        require(self.batch_pairs >= 1, "batch_pairs must be at least 1.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
