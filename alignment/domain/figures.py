"""The figures of an evaluation and of a reward model as people read them: which, in what order, and what each says.

Pure: metrics in, lines of a table out. How a figure comes about is in `docs/post-training.md`.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from alignment.domain.plots import XY, Mark
from feedback.domain.plot import IntervalRow

Text = Any
"""A lazy text, translated when it is shown; its type exists in the stubs alone."""
Metrics = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A line of the table as it is defined: where its numbers are, and what it says in plain words."""

    name: str
    label: Text
    hint: Text = ""
    digits: int = 3
    sft: float | str | None = None
    """What stands for SFT: a number that holds by definition, or the name of its figure; None is nothing."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of the table as it is shown."""

    label: Text
    hint: Text
    digits: int
    value: float | None
    low: float | None
    high: float | None
    sft: float | None


@dataclasses.dataclass(frozen=True)
class Group:
    """Lines under one heading."""

    title: Text
    lines: list[Line]


_BETTER = (
    Figure("win_rate", _("Win rate against SFT"), _("By the judge, ties half."), sft=0.5),
    Figure(
        "win_rate_length_controlled", _("Win rate at equal length"),
        _("What is left of it when neither answer is longer."), sft=0.5,
    ),
    Figure("win_rate_previous", _("Win rate against the last deployed")),
    Figure(
        "win_rate_reward", _("Win rate by the reward model itself"),
        _("It was trained against this: far above the judge's, it was fooled."), sft=0.5,
    ),
    Figure(
        "policy_best_of_4", _("Best of 4 by the reward model"),
        _("Win rate against one SFT answer. SFT's is what training must beat."), sft="best_of_4",
    ),
    Figure("previous_best_of_4", _("Best of 4 of the last deployed")),
    Figure("oracle_share", _("Share of what best of 16 by the judge would gain"), sft=0.0),
)  # fmt: skip
_PRICE = (
    Figure("kl_nats", _("KL to SFT an answer, nats"), _("How far it moved; far away, text breaks."), 2, 0.0),
    Figure("mean_tokens", _("Mean length, tokens"), "", 1, "sft_mean_tokens"),
    Figure("length_effect", _("What length adds to winning, log-odds"), _("0 is nothing; above, the judge likes it.")),
    Figure("cut_share", _("Cut at the length limit"), sft="sft_cut_share"),
    Figure("well_formed_share", _("Well-formed text"), sft="sft_well_formed_share"),
    Figure("distinct_share", _("Distinct answers of 4"), sft="sft_distinct_share"),
    Figure("distinct_1", _("Distinct words"), _("Of all words; fewer: the same is said to all."), 3, "sft_distinct_1"),
    Figure("distinct_2", _("Distinct pairs of words"), "", 3, "sft_distinct_2"),
    Figure("distinct_3", _("Distinct triples of words"), "", 3, "sft_distinct_3"),
    Figure(
        "repeated_share", _("Repeated phrases of 4 words"), _("Within one answer."), 4, "sft_repeated_share"
    ),
)  # fmt: skip
_KNOWLEDGE = (
    Figure("text_nats", _("Held-out text, nats a token"), _("Higher is less likely."), 3, "sft_text_nats"),
    Figure("forgotten_nats", _("Forgotten since SFT, nats a token"), "", 3, 0.0),
    Figure(
        "exact_match_greedy", _("Checkable answers that are right, greedy"), "", 3, "sft_exact_match_greedy"
    ),
    Figure("exact_match", _("Checkable answers that are right, sampled"), "", 3, "sft_exact_match"),
)  # fmt: skip
_GROUPS = (
    (_("Is it better"), _BETTER),
    (_("At what price"), _PRICE),
    (_("What it still knows"), _KNOWLEDGE),
)
_RATES = (
    ("win_rate", _("by the judge")),
    ("win_rate_length_controlled", _("at equal length")),
    ("win_rate_previous", _("against the last")),
    ("win_rate_reward", _("by its reward")),
    ("best_of_4", _("SFT, best of 4")),
    ("policy_best_of_4", _("best of 4")),
)


def figure_groups(metrics: Metrics) -> list[Group]:
    """Return the groups of an evaluation's figures, without what was not measured."""
    groups = [Group(title, list(_lines(figures, metrics))) for title, figures in _GROUPS]
    return [group for group in groups if group.lines]


def win_rate_rows(metrics: Metrics) -> list[IntervalRow]:
    """Return the win rates that have an interval, for one drawing."""
    rows = ((label, *_ends(metrics, name)) for name, label in _RATES)
    return [
        IntervalRow(str(label), low, value, high)
        for label, value, low, high in rows
        if value is not None and low is not None and high is not None
    ]


def _lines(figures: Iterable[Figure], metrics: Metrics) -> Iterable[Line]:
    for figure in figures:
        value, low, high = _ends(metrics, figure.name)
        sft = number(metrics, figure.sft) if isinstance(figure.sft, str) else figure.sft
        if value is not None or (isinstance(figure.sft, str) and sft is not None):
            yield Line(figure.label, figure.hint, figure.digits, value, low, high, sft)


def _ends(metrics: Metrics, name: str) -> tuple[float | None, float | None, float | None]:
    return number(metrics, name), number(metrics, f"{name}_low"), number(metrics, f"{name}_high")


def number(metrics: Metrics, name: str) -> float | None:
    """Return a figure as a finite number, None where it is missing or none."""
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


# ---- Over-optimisation ----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """Reward and judge over the square root of the KL, snapshot by snapshot, with the places worth a mark."""

    points: Sequence[Mapping[str, Any]]
    reward: list[XY]
    judge: list[XY]
    marks: list[Mark]
    warning_step: int | None
    parting_step: int | None
    parting_seen_step: int | None


def trajectory(metrics: Metrics) -> Trajectory | None:
    """Return the curve of an evaluation that has snapshots."""
    points = metrics.get("snapshots")
    if not isinstance(points, list) or len(points) < 2:
        return None
    rows = [point | {"distance": math.sqrt(max(0.0, point["kl_nats"]))} for point in points]
    at = {row["step"]: row["distance"] for row in rows}
    steps = {name: metrics.get(name) for name in ("warning_step", "parting_step", "parting_seen_step")}
    named = (("warning_step", _("warning")), ("parting_step", _("they part")))
    return Trajectory(
        rows,
        reward=_curve(rows, "reward"),
        judge=_curve(rows, "judge"),
        marks=[Mark(at[steps[name]], str(label)) for name, label in named if steps[name] in at],
        **steps,
    )


def _curve(rows: Sequence[Mapping[str, Any]], name: str) -> list[XY]:
    """Return a curve from left to right: the KL of a run need not rise at every snapshot."""
    points = [XY(row["distance"], row[name], row[f"{name}_low"], row[f"{name}_high"]) for row in rows]
    return sorted(points, key=lambda point: point.x)


# ---- The reward model -----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class RewardFigures:
    """A reward model's figures on held-out pairs."""

    lines: list[Line]
    calibration: list[Mapping[str, Any]]
    """Bins that hold pairs: {"low", "n", "confidence", "right"}."""
    reliability: list[XY]
    strengths: list[tuple[int, float, int]]
    """(strength, share right, pairs)"""


_REWARD = (
    Figure("reward_accuracy", _("Pairs told apart"), _("Held out by prompt; equal scores count as wrong.")),
    Figure("heldout_loss", _("Loss on them"), _("A coin's is 0.693.")),
    Figure("calibration_error", _("Calibration error"), _("How far its certainty is from how often it is right.")),
    Figure("length_coefficient", _("What length adds to its preference, log-odds"), "", 2),
    Figure(
        "length_coefficient_people", _("What length adds to people's"),
        _("The model lies above it even where all is well: people waver. The share that length explains tells more."),
        2,
    ),
    Figure("length_share", _("Share of its scores that length explains"), _("Above one half it is refused."), 2),
    Figure("first_position", _("Prefers the answer shown first"), _("It never knew the place: one half.")),
    Figure("first_position_people", _("People preferred the answer shown first")),
)  # fmt: skip
_STRENGTHS = (1, 2, 3)


def reward_figures(metrics: Metrics) -> RewardFigures | None:
    """Return what a reward model's run has measured; None for runs that measured none of it."""
    lines = list(_lines(_REWARD, metrics))
    if not lines:
        return None
    bins = [row for row in metrics.get("calibration") or [] if row["n"]]
    found = (
        (s, number(metrics, f"accuracy_strength_{s}"), metrics.get(f"accuracy_strength_{s}_n")) for s in _STRENGTHS
    )
    return RewardFigures(
        lines,
        calibration=bins,
        reliability=[XY(row["confidence"], row["right"], row["right"], row["right"]) for row in bins],
        strengths=[(s, share, int(n)) for s, share, n in found if share is not None and n],
    )
