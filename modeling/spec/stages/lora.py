"""What a LoRA adapter is made of."""

import dataclasses
from typing import Literal

from modeling.spec.base import require

Quantize = Literal["none", "4bit"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoraSpec:
    """A LoRA adapter (Hu et al., 2021, https://arxiv.org/abs/2106.09685)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    targets: Literal["all-linear", "attention"] = "all-linear"
    rslora: bool = False
    """Scale the update by alpha / sqrt(rank) instead of alpha / rank, so that high ranks learn as fast as low ones
    (Kalajdzievski, 2023, https://arxiv.org/abs/2312.03732)."""
    dora: bool = False
    """Learn the length of each output's weights apart from their direction (Liu et al., 2024,
    https://arxiv.org/abs/2402.09353)."""
    quantize: Quantize = "none"
    """Hold the frozen base in 4 bits while the adapter trains (QLoRA, Dettmers et al., 2023,
    https://arxiv.org/abs/2305.14314). Needs a CUDA device and bitsandbytes."""

    def validate(self) -> None:
        """Raises: SpecError."""
        require(1 <= self.rank <= 512, f"lora.rank must be between 1 and 512, not {self.rank}.")
        require(self.alpha > 0, f"lora.alpha must be positive, not {self.alpha}.")
        require(0 <= self.dropout < 1, f"lora.dropout must be in [0, 1), not {self.dropout}.")
