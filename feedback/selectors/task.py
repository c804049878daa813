"""Tasks that can still be claimed."""

import json

from django.db.models import Exists, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import Exact
from django.utils import timezone

from feedback.domain.states import AssignmentState, BatchState, Role, TaskPurpose
from feedback.models import Assignment, Batch, Membership, Project, Task, User


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
    tasks = Task.objects.filter(
        batch__in=open_batches, open_slots__gt=0, purpose=TaskPurpose.LABEL, reserved_for=None
    ).exclude(Exists(own))
    for tag in _opted_out_tags(project, annotator):
        tasks = _without_tag(tasks, tag)
    return tasks


def _opted_out_tags(project: Project, annotator: User) -> list[str]:
    members = Membership.objects.filter(project=project, user=annotator, role=Role.ANNOTATOR, is_active=True)
    return members.values_list("opted_out_tags", flat=True).first() or []


def _without_tag(tasks: QuerySet[Task], tag: str) -> QuerySet[Task]:
    # No lookup of JSON finds a member of a list on both databases. As text, a tag stands between quotes: with escapes
    # as SQLite keeps what was stored, without them as PostgreSQL writes it.
    tags = Cast("prompt__tags", TextField())
    for spelling in {json.dumps(tag), json.dumps(tag, ensure_ascii=False)}:
        tasks = tasks.filter(Exact(StrIndex(tags, Value(spelling)), 0))
    return tasks
