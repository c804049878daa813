"""One person's own work in a project: what they judged, and how long it took."""

import dataclasses
import datetime as dt
import zoneinfo

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from feedback.domain.states import LEARNED_FROM, BatchState
from feedback.models import Judgment, Project, User
from feedback.selectors.gold import gold_batch
from feedback.selectors.prompt import prompt_excerpt


@dataclasses.dataclass(frozen=True)
class OwnJudgment:
    judgment: Judgment
    excerpt: str
    """The beginning of the last turn of the prompt."""
    when: dt.datetime
    """When it was last changed."""
    may_correct: bool


@dataclasses.dataclass(frozen=True)
class DayCount:
    day: dt.date
    """In the person's time zone."""
    n_judgments: int
    """Tasks judged; corrections are none of their own."""
    active_s: float
    """Corrections included."""


def own_judgments(*, project: Project, annotator: User, before: int | None, limit: int = 50) -> list[OwnJudgment]:
    """Return what the person judged, the newest first; `before` is the id of the last one that was read."""
    judgments = Judgment.objects.filter(task__project=project, annotator=annotator, superseded_by=None)
    if before is not None:
        judgments = judgments.filter(pk__lt=before)
    return [
        OwnJudgment(
            judgment=judgment,
            excerpt=prompt_excerpt(prompt=judgment.task.prompt),
            when=judgment.created_at,
            may_correct=_may_correct(judgment, project),
        )
        for judgment in judgments.select_related("task__prompt", "task__batch", "assignment", "protocol").order_by(
            "-pk"
        )[:limit]
    ]


def _may_correct(judgment: Judgment, project: Project) -> bool:
    task = judgment.task
    if task.purpose in LEARNED_FROM:
        return False
    if task.batch is None:
        return gold_batch(project=project, judged_at=judgment.created_at) is not None
    return task.batch.state == BatchState.OPEN


def own_hours(*, project: Project, annotator: User) -> list[DayCount]:
    """Return the person's days in the project, the newest first."""
    zone = zoneinfo.ZoneInfo(annotator.time_zone)
    days = (
        Judgment.objects.filter(task__project=project, annotator=annotator)
        .annotate(day=TruncDate("created_at", tzinfo=zone))
        .values("day")
        .annotate(n_judgments=Count("pk", filter=Q(supersedes=None)), active_s=Sum("active_s", default=0.0))
        .order_by("-day")
    )
    return [DayCount(day["day"], day["n_judgments"], day["active_s"]) for day in days]
