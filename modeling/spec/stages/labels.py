"""What training takes a judgment for: as it was said, or as far as its annotator can be trusted."""

import dataclasses
from typing import Literal

LabelSource = Literal["hard", "weight", "reliability", "consensus"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelSpec:
    """How pairs become training labels, where a quality report says something of their annotators and tasks.

    A judgment of which nothing is known counts as it was said, by whatever source.
    """

    source: LabelSource = "consensus"
    """`hard`: every judgment as it was said. `weight`: as it was said, counted by its annotator's weight.
    `reliability`: right with the annotator's probability of being right. `consensus`: what all judgments of the task
    say together, with the confidence that they say it with; where there is none, as `reliability`."""
