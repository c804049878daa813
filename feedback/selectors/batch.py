"""Batches and how far people have come with them."""

import dataclasses

from django.db.models import Count, QuerySet, Sum

from feedback.domain.states import BatchState
from feedback.models import Batch, Judgment, Project, Task


@dataclasses.dataclass(frozen=True)
class BatchProgress:
    n_tasks: int
    n_judgments: int
    """Counted ones; a correction takes the place of what it corrects."""
    n_wanted: int
    n_annotators: int


def batch_progress(*, batch: Batch) -> BatchProgress:
    """Return how many judgments a batch has and wants."""
    tasks = Task.objects.filter(batch=batch).aggregate(n=Count("pk"), wanted=Sum("overlap"))
    judgments = Judgment.objects.filter(task__batch=batch, counted=True, superseded_by=None).aggregate(
        n=Count("pk"), annotators=Count("annotator", distinct=True)
    )
    return BatchProgress(tasks["n"], judgments["n"], tasks["wanted"] or 0, judgments["annotators"])


def batch_list(*, project: Project) -> QuerySet[Batch]:
    """Return the project's batches, newest first."""
    return Batch.objects.filter(project=project).order_by("-number")


def batch_open_exists(*, project: Project) -> bool:
    """Return whether a batch is open for claims."""
    return Batch.objects.filter(project=project, state=BatchState.OPEN).exists()
