"""What the specifications of the offline stages have in common: a policy that learns from answers that are there."""

import dataclasses
from typing import Literal

from modeling.spec.base import Spec, require, require_learning_rate
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfflineSpec(Spec):
    """An adapter that makes good answers likelier than bad ones, measured against a reference."""

    base: str
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    """What the KL is taken to: the SFT base, or the adapter that training starts from."""
    lora: LoraSpec = LoraSpec()
    beta: float = 0.3
    epochs: float = 2.0
    learning_rate: float = 1e-3
    max_length: int = 256
    heldout_share: float = 0.0
    """Share of prompts that is kept from training, for a held-out loss."""
    max_kl_nats: float = 30.0
    """A policy that ends further than this from its reference is refused: useful ones stay below 10."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(0 < self.beta <= 10, f"beta must be in (0, 10], not {self.beta}.")
        require(0 < self.epochs <= 100, "epochs must be in (0, 100].")
        require(0 <= self.heldout_share < 1, f"heldout_share must be in [0, 1), not {self.heldout_share}.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
