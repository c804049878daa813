"""What the figures of a quality report are called, in which unit they count, and what a suspicion means."""

import dataclasses
from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from feedback.domain.protocol import Flag
from feedback.domain.quality import Estimate
from feedback.domain.quality_tables import ESTIMATES

Text = str | Promise


@dataclasses.dataclass(frozen=True)
class Meaning:
    label: Text
    unit: Text
    """Of the rows that it rests on."""
    hint: Text


@dataclasses.dataclass(frozen=True)
class Suspicion:
    label: Text
    hint: Text


@dataclasses.dataclass(frozen=True)
class Line:
    """One figure as a row of a table."""

    name: str
    meaning: Meaning
    estimate: Estimate
    compared: Estimate | None = None
    """The project's figure beside a person's."""

    @property
    def method(self) -> Text:
        return method_text(self.estimate.method)


_TWICE, _PAIRS = _("pairs judged by two people"), _("pairs with a winner")
_JUDGMENTS = _("judgments")

MEANINGS: dict[str, Meaning] = {
    "pairwise_agreement": Meaning(
        _("Agreement on pairs"), _TWICE, _("How often two people who judged the same two answers said the same.")
    ),
    "kendall_tau": Meaning(
        _("Kendall's tau"), _("pairs of rankings"), _("How alike two rankings of a task are: 1 the same, 0 by chance.")
    ),
    "krippendorff_alpha": Meaning(
        _("Krippendorff's alpha"),
        _("answers"),
        _("Agreement beyond chance, over all ranks: 1 is perfect, 0 is chance."),
    ),
    "mean_confidence": Meaning(
        _("Confidence of the consensus"),
        _("tasks"),
        _("How surely the order of two answers is known from all judgments together."),
    ),
    "gold_accuracy": Meaning(
        _("Gold tasks right"), _JUDGMENTS, _("Share of hidden tasks with a known answer that were right.")
    ),
    "self_consistency": Meaning(
        _("Self-consistency"),
        _("pairs judged twice"),
        _("How often a person says the same about a task that comes back hidden."),
    ),
    "first_position": Meaning(
        _("First answer wins"),
        _PAIRS,
        _("How often the answer that was shown first wins; 0.5 where its place does not matter."),
    ),
    "length_preference": Meaning(_("Longer answer wins"), _PAIRS, _("How often the longer of two answers wins.")),
    "seconds": Meaning(
        _("Seconds a task"), _JUDGMENTS, _("Median of the time in which somebody was active on a task.")
    ),
    "reliability": Meaning(
        _("Reliability"),
        _("judged pairs"),
        _("Probability of getting two answers right; 0.5 is a coin. It decides the weight."),
    ),
    "agreement": Meaning(
        _("Agreement with others"), _TWICE, _("Share of pairs that were judged as the others judged them.")
    ),
    "flags_per_task": Meaning(_("Flags a task"), _JUDGMENTS, _("How many flags were set on the answers of a task.")),
}

METHODS: dict[str, Text] = {
    "share of pairs, Wilson, clustered by task": _("share of pairs, Wilson, clustered by task"),
    "mean of tau-b, jackknife over tasks": _("mean of tau-b, jackknife over tasks"),
    "alpha, ordinal, jackknife over tasks": _("alpha, ordinal, jackknife over tasks"),
    "mean, Student's t": _("mean, Student's t"),
    "mean a judgment, Student's t": _("mean a judgment, Student's t"),
    "median, interval of ranks": _("median, interval of ranks"),
    "share of known answers, Wilson": _("share of known answers, Wilson"),
    "share of pairs of repeated tasks, Wilson, clustered by task": _(
        "share of pairs of repeated tasks, Wilson, clustered by task"
    ),
    "share of wins of the answer shown first, Wilson, clustered by judgment": _(
        "share of wins of the answer shown first, Wilson, clustered by judgment"
    ),
    "share of wins of the longer answer, Wilson, clustered by judgment": _(
        "share of wins of the longer answer, Wilson, clustered by judgment"
    ),
    "Dawid-Skene, one number a person": _("Dawid-Skene, one number a person"),
    "Bradley-Terry, bootstrap over prompts, 400 draws": _("Bradley-Terry, bootstrap over prompts, 400 draws"),
    "share of wins, ties half, Wilson, clustered by prompt": _("share of wins, ties half, Wilson, clustered by prompt"),
}
"""How figures are computed, as `feedback.quality` stores it, in the reader's language."""

SUSPICIONS: dict[str, Suspicion] = {
    "random": Suspicion(_("Random"), _("The rankings look as if they were drawn by lot.")),
    "position": Suspicion(_("By position"), _("The place of an answer decides, whatever it says.")),
    "copying": Suspicion(_("Copying"), _("The rankings follow another person's much more than the answers explain.")),
    "speed": Suspicion(_("Too fast"), _("Tasks are judged faster than they can be read.")),
}


def project_lines(figures: object) -> list[Line]:
    """Return the project's figures in the order in which they are read."""
    return [Line(name, MEANINGS[name], getattr(figures, name)) for name in ESTIMATES]


def suspicions(names: Iterable[str]) -> list[Suspicion]:
    """Return what the marks of a person mean."""
    return [SUSPICIONS[name] for name in names]


def flag_label(flag: str) -> Text:
    """Return a flag's name for people; one that is not known any more keeps its own."""
    return Flag(flag).label if flag in Flag else flag


def method_text(method: str) -> Text:
    """Return how a figure was computed; a report of another version says it in its own words."""
    return METHODS.get(method, method)
