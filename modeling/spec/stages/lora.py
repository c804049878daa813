"""What a LoRA adapter is made of."""

import dataclasses
from typing import Literal

from modeling.spec.base import require


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoraSpec:
    """A LoRA adapter (Hu et al., 2021, https://arxiv.org/abs/2106.09685)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: Literal["all-linear", "attention"] = "all-linear"

    def validate(self) -> None:
        """Raises: SpecError."""
        require(1 <= self.rank <= 512, f"lora.rank must be between 1 and 512, not {self.rank}.")
        require(self.alpha > 0, f"lora.alpha must be positive, not {self.alpha}.")
        require(0 <= self.dropout < 1, f"lora.dropout must be in [0, 1), not {self.dropout}.")
