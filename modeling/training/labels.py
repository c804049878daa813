"""What is believed of one judged pair: how much it counts, and how probably the chosen answer is the better one.

Pure: one judgment in, one label out. How labels enter a loss is the stage's choice; how pairs of one ranking share
their weight is `weighting.py`.
"""

from dataclasses import dataclass

from modeling.data.preferences import Judgment
from modeling.spec import LabelSpec


@dataclass(frozen=True)
class Label:
    """What a judgment is worth to training."""

    weight: float
    """At least 0; a typical annotator's is 1."""
    target: float
    """Probability that the chosen answer is truly better; 0.5 for a tie."""


def label_of(judgment: Judgment, spec: LabelSpec) -> Label:
    """Return the label of a judgment; a tie keeps its weight and says one half.

    With a target q in the place of 1 the loss of a model that is unsure has the gradient of the likelihood of an
    annotator who is right with probability q: q sigmoid(d) + (1 - q) sigmoid(-d), at d = 0.
    Source: Natarajan et al., 2013 (https://papers.nips.cc/paper/5073), for losses under known label noise.
    """
    label = _label(judgment, spec)
    return Label(label.weight, 0.5) if judgment.tie else label


def _label(judgment: Judgment, spec: LabelSpec) -> Label:
    if spec.source == "hard":
        return Label(1.0, 1.0)
    if spec.source == "weight":
        return Label(judgment.weight, 1.0)
    if spec.source == "consensus" and judgment.consensus is not None and judgment.confidence is not None:
        return Label(1.0, judgment.confidence if judgment.consensus else 1 - judgment.confidence)
    heard = float(judgment.weight > 0)  # who is suspected of not looking at the answers says nothing about them
    return Label(heard, 1.0 if judgment.reliability is None else max(judgment.reliability, 0.5))
