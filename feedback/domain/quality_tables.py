"""The figures of a quality report as tables of plain rows: what pages show, files hold and the API answers."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from feedback.domain.quality import AnnotatorFigures, Estimate, Histogram, QualityFigures

Row = dict[str, Any]

ESTIMATES = (
    "pairwise_agreement", "kendall_tau", "krippendorff_alpha", "mean_confidence", "gold_accuracy", "self_consistency",
    "first_position", "length_preference", "seconds",
)  # fmt: skip
"""Fields of the project's figures that have an interval, in the order in which they are read."""
OF_ANNOTATOR = (
    "reliability", "agreement", "gold_accuracy", "self_consistency", "first_position", "length_preference", "seconds",
    "flags_per_task",
)  # fmt: skip
SORTS = ("annotator", "n_judgments", "reliability", "weight", *OF_ANNOTATOR[1:])
"""By what annotators may be put in order."""


@dataclasses.dataclass(frozen=True)
class Table:
    columns: list[str]
    rows: Callable[[QualityFigures, Mapping[int, str]], Iterator[Row]]
    """Of the figures and the pseudonym of each user id."""


def annotators_sorted(
    annotators: Sequence[AnnotatorFigures], *, by: str, names: Mapping[int, str], is_descending: bool = False
) -> list[AnnotatorFigures]:
    """Return annotators in order of a column, those without a figure last; equal ones by name."""
    assert by in SORTS, f"{by} is no column of annotators"
    by_name = sorted(annotators, key=lambda one: names.get(one.annotator, ""))
    known = [one for one in by_name if _key(one, by, names) is not None]
    unknown = [one for one in by_name if _key(one, by, names) is None]
    return sorted(known, key=lambda one: _key(one, by, names), reverse=is_descending) + unknown


def _key(one: AnnotatorFigures, by: str, names: Mapping[int, str]) -> Any:
    if by == "annotator":
        return names.get(one.annotator, "")
    value = getattr(one, by)
    return value.value if isinstance(value, Estimate) else value


def _wide(names: Sequence[str]) -> list[str]:
    return [f"{name}{part}" for name in names for part in ("", "_low", "_high", "_n", "_method")]


def _spread(name: str, estimate: Estimate) -> Row:
    return {
        name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high, f"{name}_n": estimate.n,
        f"{name}_method": estimate.method,
    }  # fmt: skip


def _figures(figures: QualityFigures, _names: Mapping[int, str]) -> Iterator[Row]:
    for name in ("n_judgments", "n_tasks", "n_annotators", "n_pairs"):
        yield {"figure": name, "value": getattr(figures, name), "method": "count"}
    for name in ESTIMATES:
        yield {"figure": name, **dataclasses.asdict(getattr(figures, name))}


def _annotators(figures: QualityFigures, names: Mapping[int, str]) -> Iterator[Row]:
    for one in figures.annotators:
        row = {
            "annotator": names.get(one.annotator), "n_judgments": one.n_judgments, "weight": one.weight,
            "suspicions": " ".join(one.suspicions), "copies": None if one.copies is None else names.get(one.copies),
        }  # fmt: skip
        for name in OF_ANNOTATOR:
            row |= _spread(name, getattr(one, name))
        yield row


def _sources(figures: QualityFigures, _names: Mapping[int, str]) -> Iterator[Row]:
    for one in figures.sources:
        yield {"source": one.source, **_spread("rating", one.rating), **_spread("win_rate", one.win_rate)}


def _pairs(figures: QualityFigures, _names: Mapping[int, str]) -> Iterator[Row]:
    for one in figures.pairs:
        more = {"first": one.first, "second": one.second, "more_labels": one.more_labels}
        yield more | _spread("win_rate", one.win_rate)


def _plan(figures: QualityFigures, _names: Mapping[int, str]) -> Iterator[Row]:
    for one in figures.plan:
        yield dataclasses.asdict(one)


def _flags(figures: QualityFigures, _names: Mapping[int, str]) -> Iterator[Row]:
    for flag, n in figures.flags.items():
        yield {"flag": flag, "n": n}


def _histogram(name: str) -> Callable[[QualityFigures, Mapping[int, str]], Iterator[Row]]:
    def rows(figures: QualityFigures, _names: Mapping[int, str]) -> Iterator[Row]:
        histogram: Histogram = getattr(figures, name)
        for low, high, n in zip(histogram.edges[:-1], histogram.edges[1:], histogram.counts, strict=True):
            yield {"from": low, "to": high, "n": n}

    return rows


TABLES: Mapping[str, Table] = {
    "figures": Table(["figure", "value", "low", "high", "n", "method"], _figures),
    "annotators": Table(
        ["annotator", "n_judgments", "weight", "suspicions", "copies", *_wide(OF_ANNOTATOR)], _annotators
    ),
    "sources": Table(["source", *_wide(["rating", "win_rate"])], _sources),
    "pairs": Table(["first", "second", "more_labels", *_wide(["win_rate"])], _pairs),
    "plan": Table(["half_width", "n_comparisons", "n_judgments", "hours"], _plan),
    "flags": Table(["flag", "n"], _flags),
    "seconds": Table(["from", "to", "n"], _histogram("seconds_histogram")),
    "agreement": Table(["from", "to", "n"], _histogram("agreement_histogram")),
}
