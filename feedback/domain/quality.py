"""The figures of a quality report: what workers compute, pages show and files carry. No statistics in here."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure with its interval and what it rests on."""

    value: float | None
    """None when there was nothing to compute it from."""
    low: float | None = None
    high: float | None = None
    """Of the 95% interval; None where there is no interval."""
    n: int = 0
    """Rows that it rests on, in the unit that the page names beside it."""
    method: str = ""
    """How figure and interval were computed, in a few words: `share, Wilson`."""


NOTHING = Estimate(None)


@dataclasses.dataclass(frozen=True)
class AnnotatorFigures:
    annotator: int
    """User id."""
    n_judgments: int
    reliability: Estimate
    """Probability of getting a pair right, by the model that also weighs the consensus."""
    weight: float
    """Of this person's judgments in the consensus: 0 for a spammer, 1 for a typical annotator's."""
    agreement: Estimate
    """Share of pairs judged as the others did."""
    gold_accuracy: Estimate
    self_consistency: Estimate
    first_position: Estimate
    """Share of wins of the answer shown first, over pairs with a winner; 0.5 where position does not matter."""
    length_preference: Estimate
    """Share of wins of the longer answer."""
    seconds: Estimate
    """Median active seconds of a task."""
    flags_per_task: Estimate
    copies: int | None
    """User id of whom this person seems to copy."""
    suspicions: tuple[str, ...]
    """Of `random`, `position`, `copying`, `speed`; empty for an honest annotator."""


@dataclasses.dataclass(frozen=True)
class SourceFigures:
    source: str
    """Key of the source of answers."""
    rating: Estimate
    """Bradley-Terry score in logits against the mean of all sources, with a bootstrap interval over prompts."""
    win_rate: Estimate
    """Against the other sources, ties half."""


@dataclasses.dataclass(frozen=True)
class PairFigures:
    """Two sources of answers next to each other."""

    first: str
    second: str
    win_rate: Estimate
    """Of the first, ties half."""
    more_labels: int | None
    """Further comparisons of the two until their interval leaves one half out: 0 when it does, None over a million."""


@dataclasses.dataclass(frozen=True)
class PlanRow:
    """What a wished half-width of a win rate's interval costs."""

    half_width: float
    n_comparisons: int
    n_judgments: int
    hours: float | None
    """By the median active time; None where no times are known."""


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Counts in bins; `edges` has one number more."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class QualityFigures:
    n_judgments: int
    n_tasks: int
    n_annotators: int
    n_pairs: int
    pairwise_agreement: Estimate
    kendall_tau: Estimate
    krippendorff_alpha: Estimate
    gold_accuracy: Estimate
    self_consistency: Estimate
    first_position: Estimate
    length_preference: Estimate
    seconds: Estimate
    flags: Mapping[str, int]
    """How often each flag was set."""
    mean_confidence: Estimate
    """Of the consensus."""
    annotators: tuple[AnnotatorFigures, ...]
    sources: tuple[SourceFigures, ...]
    pairs: tuple[PairFigures, ...]
    plan: tuple[PlanRow, ...]
    seconds_histogram: Histogram
    agreement_histogram: Histogram
    """Of tasks by the share of pairs judged alike."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, figures: Mapping[str, Any]) -> "QualityFigures":
        """Read what `to_json` wrote; a field that is not known is an error."""
        read: QualityFigures = _read(cls, figures)
        return read


@dataclasses.dataclass(frozen=True)
class ConsensusFigures:
    """What the judgments of one task say together."""

    task: int
    ranks: tuple[int, ...]
    """By item number, equal numbers are ties."""
    confidence: float
    n_judgments: int


_PARTS: Mapping[str, type] = {
    "annotators": AnnotatorFigures,
    "sources": SourceFigures,
    "pairs": PairFigures,
    "plan": PlanRow,
}


def _read(cls: type, figures: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for name, value in figures.items():
        if name in _PARTS:
            values[name] = tuple(_read(_PARTS[name], part) for part in value)
        elif isinstance(value, dict) and "edges" in value:
            values[name] = Histogram(tuple(value["edges"]), tuple(value["counts"]))
        elif isinstance(value, dict) and "method" in value:
            values[name] = Estimate(**value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)
