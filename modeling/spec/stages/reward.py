"""The specification of stage `reward`."""

import dataclasses

from modeling.spec.base import FileRef, Spec, require, require_learning_rate
from modeling.spec.stages.labels import LabelSpec
from modeling.spec.stages.lora import LoraSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class RewardSpec(Spec):
    """A Bradley-Terry reward model, with ties by Davidson: a LoRA adapter and a head on the frozen base."""

    stage = "reward"

    base: str
    preferences: tuple[FileRef, ...]
    """Rows may be ties (`"tie": true`) and may name what was judged (`dimension`)."""
    labels: LabelSpec = LabelSpec()
    """How far judgments are believed."""
    margin: float = 0.0
    """How far apart the scores of two answers must be for each step of stated strength, in log-odds."""
    dimensions: dict[str, float] = dataclasses.field(default_factory=dict)
    """Weight in the score of each dimension that rows name, `""` being the whole answer; empty: the whole alone. Rows
    of other dimensions are left out and counted."""
    n_models: int = 1
    """Members of the ensemble; only their last training is repeated, the folds test one."""
    lora: LoraSpec = LoraSpec(dropout=0.6)
    """With a few hundred rankings dropout is what keeps the adapter from learning them by heart, and so much of it
    lets them be gone through often."""
    epochs: float = 6.0
    batch_pairs: int = 32
    learning_rate: float = 3e-3
    """Peak of a training of up to 400 steps; one of n takes it times the square root of 400 / n."""
    max_length: int = 256
    folds: int = 3
    length_level: float = 0.01
    """Level of the test that refuses a model ruled by length more than people are; 0 refuses none."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        weights = self.dimensions.values()
        require(bool(self.preferences), "preferences: name at least one file.")
        require(0 <= self.margin <= 10, f"margin must be in [0, 10], not {self.margin}.")
        require(all(type(w) in (int, float) and 0 < w <= 100 for w in weights), "dimensions must be in (0, 100].")
        require(1 <= self.n_models <= 16, f"n_models must be between 1 and 16, not {self.n_models}.")
        require(self.epochs > 0, "epochs must be positive.")
        require(2 <= self.folds <= 20, "folds must be between 2 and 20.")
        require(self.batch_pairs >= 1, "batch_pairs must be at least 1.")
        require(0 <= self.length_level < 1, f"length_level must be in [0, 1), not {self.length_level}.")
        require_learning_rate(self.learning_rate)
        self.lora.validate()
