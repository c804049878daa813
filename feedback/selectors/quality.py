"""Quality reports, and what they say about the worth of a judgment."""

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping

from django.db.models import QuerySet

from feedback.domain.gold import Mark
from feedback.domain.quality import QualityFigures
from feedback.domain.states import KNOWN, QualityState
from feedback.models import Consensus, Judgment, Membership, Project, QualityReport, Snapshot
from feedback.selectors.gold import judgment_mark

RECENT = 5_000
"""Judgments of a person that are looked at on a page: some weeks of work, read in a tenth of a second."""
LIVE = (QualityState.QUEUED, QualityState.COMPUTING)


def reports_of(*, project: Project) -> QuerySet[QualityReport]:
    """Return the project's reports, the newest first."""
    return QualityReport.objects.filter(project=project).order_by("-pk")


def report_computed(*, project: Project) -> QualityReport | None:
    """Return the newest report that has figures."""
    return reports_of(project=project).filter(state=QualityState.COMPUTED).first()


def report_newest(*, project: Project) -> QualityReport | None:
    """Return the report that was asked for last, whatever became of it, without its figures."""
    return reports_of(project=project).defer("figures").first()


def report_figures(report: QualityReport) -> QualityFigures:
    """Return the figures of a computed report."""
    assert report.state == QualityState.COMPUTED, f"{report} has no figures"
    return QualityFigures.from_json(report.figures)


@dataclasses.dataclass(frozen=True)
class TaskConsensus:
    """What the judgments of a task say together."""

    ranks: tuple[int, ...]
    """By item number, equal numbers are ties."""
    confidence: float


@dataclasses.dataclass(frozen=True)
class Worth:
    """What one report says about people and tasks, for the columns of exports."""

    report_id: int | None
    """None before the first report; then nothing is known of anybody."""
    people: Mapping[int, tuple[float | None, float]]
    """(reliability, weight) by user id."""

    def reliability(self, annotator_id: int) -> float | None:
        """Return the person's probability of getting a pair right, None where it is not known."""
        return self.people.get(annotator_id, (None, None))[0]

    def weight(self, annotator_id: int) -> float | None:
        """Return what the person's judgments weigh in the consensus, None where it is not known."""
        return self.people.get(annotator_id, (None, None))[1]

    def consensus(self, task_ids: Collection[int]) -> dict[int, TaskConsensus]:
        """Return the newest consensus of those tasks that have one; a later report replaces that of an earlier one."""
        if self.report_id is None:
            return {}
        rows = Consensus.objects.filter(task__in=task_ids)
        return {
            task_id: TaskConsensus(tuple(ranks), confidence)
            for task_id, ranks, confidence in rows.values_list("task_id", "ranks", "confidence")
        }


UNKNOWN = Worth(None, {})


def worth_of(report: QualityReport | None) -> Worth:
    """Return what a computed report says, or that nothing is known."""
    if report is None:
        return UNKNOWN
    people = {
        person["annotator"]: (person["reliability"]["value"], person["weight"])
        for person in report.figures["annotators"]
    }
    return Worth(report.pk, people)


def worth_of_snapshot(snapshot: Snapshot) -> Worth:
    """Return what the report says that a snapshot was written with."""
    return worth_of(QualityReport.objects.filter(pk=snapshot.filter.get("quality_report")).first())


@dataclasses.dataclass(frozen=True)
class KnownJudged:
    """A person's judgment of a task with a known answer."""

    judgment: Judgment
    mark: Mark


def annotator_gold(*, project: Project, annotator_id: int, limit: int) -> list[KnownJudged]:
    """Return what a person said about tasks with a known answer, the newest first."""
    rows = _of_person(project, annotator_id).filter(task__purpose__in=KNOWN).select_related("task__gold")
    return [KnownJudged(one, judgment_mark(judgment=one, gold=one.task.gold)) for one in rows.order_by("-pk")[:limit]]


def annotator_seconds(*, project: Project, annotator_id: int) -> list[float]:
    """Return the active seconds of a person's newest judgments."""
    rows = _of_person(project, annotator_id).order_by("-pk")
    return [seconds for seconds in rows.values_list("active_s", flat=True)[:RECENT] if seconds is not None]


def annotator_flags(*, project: Project, annotator_id: int) -> Counter[str]:
    """Return how often a person's newest judgments set each flag."""
    rows = _of_person(project, annotator_id).order_by("-pk").values_list("flags", flat=True)[:RECENT]
    return Counter(flag["flag"] for flags in rows for flag in flags)


def usernames(*, project: Project) -> dict[int, str]:
    """Return the name of each user id that was ever a member."""
    return dict(Membership.objects.filter(project=project).values_list("user_id", "user__username"))


def _of_person(project: Project, annotator_id: int) -> QuerySet[Judgment]:
    return Judgment.objects.filter(task__project=project, annotator=annotator_id, superseded_by=None)
