"""Tasks that can still be claimed."""

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from feedback.domain.states import AssignmentState, BatchState
from feedback.models import Assignment, Batch, Project, Task, User


def task_candidates(*, project: Project, annotator: User, limit: int) -> list[tuple[int, int]]:
    """Return (id, priority) of tasks that the annotator could claim, in the order in which they should be done."""
    tasks = _claimable(project, annotator).order_by("batch__number", "-priority", "id")
    return list(tasks.values_list("id", "priority")[:limit])


def queue_count(*, project: Project, annotator: User) -> int:
    """Return how many tasks this person could still do, the one in hand included."""
    in_hand = Assignment.objects.filter(
        task__project=project, annotator=annotator, state=AssignmentState.HELD, lease_expires_at__gt=timezone.now()
    )
    return _claimable(project, annotator).count() + in_hand.count()


def _claimable(project: Project, annotator: User) -> QuerySet[Task]:
    # A task that this person let expire comes again; one they judged, skipped or hold does not.
    own = Assignment.objects.filter(task=OuterRef("pk"), annotator=annotator).exclude(state=AssignmentState.EXPIRED)
    open_batches = list(Batch.objects.filter(project=project, state=BatchState.OPEN).values_list("pk", flat=True))
    return Task.objects.filter(batch__in=open_batches, open_slots__gt=0).exclude(Exists(own))
