"""The specification of stage `dpo`."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.labels import LabelSpec
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class DPOSpec(Spec):
    """Direct preference optimisation (Rafailov et al., 2023, https://arxiv.org/abs/2305.18290) and its family."""

    stage = "dpo"

    base: str
    preferences: tuple[FileRef, ...]
    dimension: str = ""
    """Train on the judgments of this dimension; empty for those of the whole answer."""
    adapter: str = ""
    """Adapter to continue; empty starts a fresh one."""
    reference: Literal["base", "adapter"] = "base"
    """What the KL is taken to: the SFT base, or the adapter that training starts from."""
    lora: LoraSpec = LoraSpec()
    labels: LabelSpec = LabelSpec()
    loss: Literal["sigmoid", "robust", "ipo", "hinge", "apo_zero", "apo_down"] = "sigmoid"
    beta: float = 0.3
    label_smoothing: float = 0.0
    """Share of labels that are taken to be flipped. `robust` undoes it, the others allow for it."""
    measure_smoothing: bool = False
    """Set label_smoothing to 1 - the mean reliability of the pairs' annotators, where known; labels then as said."""
    sft_coef: float = 0.0
    """Weight of the chosen answers' own loss, nats per token (Pang et al., 2024, https://arxiv.org/abs/2404.19733)."""
    epochs: float = 2.0
    batch_pairs: int = 32
    learning_rate: float = 1e-3
    max_length: int = 256
    heldout_share: float = 0.0
    """Share of prompts that is kept from training, for a held-out loss."""
    max_kl_nats: float = 30.0
    """A policy that ends further than this from its reference is refused: useful ones stay below 10."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.preferences), "preferences: name at least one file.")
        require(0 < self.beta <= 10, f"beta must be in (0, 10], not {self.beta}.")
        require(0 <= self.label_smoothing < 0.5, f"label_smoothing must be in [0, 0.5), not {self.label_smoothing}.")
        require(
            not self.measure_smoothing or (self.label_smoothing == 0 and self.labels.source in ("hard", "weight")),
            "measure_smoothing needs label_smoothing 0 and labels 'hard' or 'weight': others hold the noise already.",
        )
        require(0 <= self.sft_coef <= 10, f"sft_coef must be in [0, 10], not {self.sft_coef}.")
        require(0 < self.epochs <= 100, "epochs must be in (0, 100].")
        require(self.batch_pairs >= 1, "batch_pairs must be at least 1.")
        require(0 <= self.heldout_share < 1, f"heldout_share must be in [0, 1), not {self.heldout_share}.")
        require(self.max_kl_nats > 0, f"max_kl_nats must be positive, not {self.max_kl_nats}.")
        require(self.reference == "base" or bool(self.adapter), "reference 'adapter' needs an adapter to start from.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
