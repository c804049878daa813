"""The specification of stage `kto`."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class KTOSpec(Spec):
    """Kahneman-Tversky optimisation on single answers called good or bad (Ethayarajh et al., 2024)."""

    stage = "kto"

    base: str
    verdicts: tuple[FileRef, ...]
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    """What the KL is taken to: the SFT base, or the adapter that training starts from."""
    lora: LoraSpec = LoraSpec()
    beta: float = 0.3
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0
    """At equal weights the good answers together count as much as the bad ones together, whatever their numbers."""
    epochs: float = 2.0
    batch_size: int = 32
    learning_rate: float = 1e-3
    max_length: int = 256
    heldout_share: float = 0.0
    """Share of prompts that is kept from training, for a held-out loss."""
    max_kl_nats: float = 30.0
    """A policy that ends further than this from its reference is refused: useful ones stay below 10."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.verdicts), "verdicts: name at least one file.")
        require(0 < self.beta <= 10, f"beta must be in (0, 10], not {self.beta}.")
        require(0 < self.desirable_weight <= 100, "desirable_weight must be in (0, 100].")
        require(0 < self.undesirable_weight <= 100, "undesirable_weight must be in (0, 100].")
        require(0 < self.epochs <= 100, "epochs must be in (0, 100].")
        require(self.batch_size >= 2, "batch_size must be at least 2: a prompt borrows another's answer.")
        require(0 <= self.heldout_share < 1, f"heldout_share must be in [0, 1), not {self.heldout_share}.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
