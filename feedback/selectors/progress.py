"""How far a project is, how fast it moves, and when it will be done."""

import dataclasses
import datetime as dt

from django.db.models import QuerySet
from django.utils import timezone

from feedback.domain.pace import LONGEST, Pace, pace_of, time_left
from feedback.domain.states import EXPORTED, AdjudicationState, AssignmentState, BatchState
from feedback.models import Adjudication, Assignment, Batch, Judgment, Project, Task, TaskAction
from feedback.selectors.batch import BatchProgress, batch_progress, leases_count

LATEST = 200
"""Judgments that say how fast it goes: a few hours of a small team."""
LOOKED_AT = 2_000
"""The site's newest judgments among which those are: it bounds the look where another project is busy."""
OPEN_BATCHES = 10
"""Shown with their progress: a project has one or two."""
CLOSED_BATCHES = 10
"""The latest ones, which may be opened again."""


@dataclasses.dataclass(frozen=True)
class BatchLine:
    batch: Batch
    progress: BatchProgress
    n_adjudications: int
    """Tasks that wait for an adjudicator."""


@dataclasses.dataclass(frozen=True)
class ProjectProgress:
    batches: list[BatchLine]
    """The open ones, the newest first."""
    n_left: int
    """Judgments that open batches still want."""
    pace: Pace | None
    """None when nothing moves."""
    left: dt.timedelta | None
    """Until all open batches are done at this pace; None when nothing moves or nothing is left."""
    is_far: bool
    """It takes longer than anybody can tell, and `left` is only the least."""
    n_stale: int
    """Leases that ran out and whose slots nobody has got back yet."""


def project_progress(*, project: Project) -> ProjectProgress:
    """Return how far the open batches are and when they are done, in a time that does not grow with what is done."""
    batches = [_line(batch) for batch in _batches(project, BatchState.OPEN)[:OPEN_BATCHES]]
    n_left = sum(line.progress.n_wanted - line.progress.n_judgments for line in batches)
    now = timezone.now()
    pace = pace_of(latest_times(project=project), now=now)
    left = time_left(pace, n_judgments=n_left) if pace is not None and n_left else None
    stale = Assignment.objects.filter(state=AssignmentState.HELD, lease_expires_at__lte=now)
    return ProjectProgress(
        batches=batches,
        n_left=n_left,
        pace=pace,
        left=left,
        is_far=left == LONGEST,
        n_stale=leases_count(leases=stale, tasks=Task.objects.filter(project=project)),
    )


def batches_closed(*, project: Project) -> list[Batch]:
    """Return the latest closed batches, the newest first."""
    return list(_batches(project, BatchState.CLOSED)[:CLOSED_BATCHES])


def batch_get(*, project: Project, number: int) -> Batch | None:
    """Return the project's batch of that number, or None; one that has not been opened yet is not there."""
    opened = Batch.objects.filter(project=project, state__in=[BatchState.OPEN, BatchState.CLOSED])
    return opened.filter(number=number).first()


def task_action_latest(*, project: Project) -> TaskAction | None:
    """Return the newest change of many tasks, under way or done."""
    return TaskAction.objects.filter(project=project).select_related("asked_by").order_by("-pk").first()


def latest_times(*, project: Project) -> list[dt.datetime]:
    """Return when the latest judgments of the project were made, at most `LATEST`, corrections left out."""
    newest = Judgment.objects.order_by("-pk").values_list("pk", flat=True)[LOOKED_AT - 1 : LOOKED_AT]
    judgments = Judgment.objects.filter(
        pk__gte=next(iter(newest), 0),
        task__project=project,
        task__purpose__in=EXPORTED,
        counted=True,
        supersedes=None,
    )
    return list(judgments.order_by("-pk").values_list("created_at", flat=True)[:LATEST])


def _batches(project: Project, state: BatchState) -> QuerySet[Batch]:
    return Batch.objects.filter(project=project, state=state).order_by("-number")


def _line(batch: Batch) -> BatchLine:
    waiting = Adjudication.objects.filter(state=AdjudicationState.WAITING, task__batch=batch)
    return BatchLine(batch=batch, progress=batch_progress(batch=batch), n_adjudications=waiting.count())
