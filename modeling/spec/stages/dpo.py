"""The specification of stage `dpo`."""

import dataclasses
from typing import Literal

from modeling.spec.base import FileRef, require
from modeling.spec.stages.labels import LabelSpec
from modeling.spec.stages.offline import OfflineSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class DPOSpec(OfflineSpec):
    """Direct preference optimisation (Rafailov et al., 2023, https://arxiv.org/abs/2305.18290) and its family."""

    stage = "dpo"

    preferences: tuple[FileRef, ...]
    dimension: str = ""
    """Train on the judgments of this dimension; empty for those of the whole answer."""
    labels: LabelSpec = LabelSpec()
    beta: float = 0.5
    loss: Literal["sigmoid", "robust", "ipo", "hinge", "apo_zero", "apo_down"] = "sigmoid"
    label_smoothing: float = 0.0
    """Share of people's labels that are taken to be flipped. `robust` undoes it, the others allow for it."""
    measure_smoothing: bool = False
    """Set label_smoothing to 1 - the mean reliability of the pairs' annotators, where known; labels then as said."""
    sft_coef: float = 0.0
    """Weight of judged chosen answers' own loss, nats per token (Pang et al., 2024, https://arxiv.org/abs/2404.19733)."""
    batch_pairs: int = 32
    reward: str = ""
    """A reward model that orders answers sampled to `prompts`: pairs of them are learnt beside the judged ones."""
    prompts: FileRef | None = None
    """Prompts to sample answers to."""
    n_prompts: int = 1_000
    """How many of the prompts are drawn; all of them where there are not so many, and 0 samples nothing."""
    samples_per_prompt: int = 4
    max_new_tokens: int = 64
    """Length limit of the sampled answers."""

    def validate(self) -> None:
        super().validate()
        require(bool(self.preferences), "preferences: name at least one file.")
        require(0 <= self.label_smoothing < 0.5, f"label_smoothing must be in [0, 0.5), not {self.label_smoothing}.")
        require(
            not self.measure_smoothing or (self.label_smoothing == 0 and self.labels.source in ("hard", "weight")),
            "measure_smoothing needs label_smoothing 0 and labels 'hard' or 'weight': others hold the noise already.",
        )
        require(0 <= self.sft_coef <= 10, f"sft_coef must be in [0, 10], not {self.sft_coef}.")
        require(self.batch_pairs >= 1, "batch_pairs must be at least 1.")
        require(bool(self.reward) == bool(self.prompts), "reward and prompts belong together: give both or neither.")
        require(self.n_prompts >= 0, "n_prompts must not be negative.")
        require(self.samples_per_prompt >= 2, "samples_per_prompt must be at least 2.")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1.")
