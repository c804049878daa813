"""The queue: tasks that can still be claimed, in the order in which they are handed out.

Nothing here grows with the number of tasks or with what a person did before: the open tasks of a batch are read from an
index in their order, a stretch at a time, and of each stretch is asked which ones this person had already.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Prefetch, QuerySet, TextField, Value, prefetch_related_objects
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import Exact
from django.utils import timezone

from feedback.domain.states import AssignmentState, BatchState, Role, TaskPurpose
from feedback.models import Assignment, Batch, Membership, Project, Task, TaskItem, User

STRETCH = 64
"""Open tasks read at first: a person who works alone has about forty of the last sixty behind them."""
LONGEST_STRETCH = 4_096
"""A stretch that held nothing is followed by one four times as long, up to this: some milliseconds."""
MOST_COUNTED = 1_000
"""Tasks counted for a person at most: whoever has more before them asks for no exact number."""

_ITEMS = Prefetch("items", TaskItem.objects.select_related("response").only("task_id", "item", "response__text"))


class Place(NamedTuple):
    """Where a task stands in the queue: batches by number, in each the highest priority first, then the oldest."""

    batch: int
    """The batch's number."""
    priority: int
    task: int


def task_candidates(*, membership: Membership, after: Place | None, limit: int) -> tuple[Place | None, list[Place]]:
    """Return the last place that holds nothing for this person, and behind it the tasks that they could claim.

    Begins behind a place, or at the front of the queue.
    """
    passed, found = after, []
    for place, is_free in _walk(membership, after):
        if is_free:
            found.append(place)
        elif not found:
            passed = place
        if len(found) == limit:
            break
    return passed, found


def tasks_reserved(*, membership: Membership) -> QuerySet[Task]:
    """Return the open tasks that wait for this person, in the order of the queue."""
    tasks = Task.objects.filter(
        project=membership.project_id,
        batch__state=BatchState.OPEN,
        open_slots__gt=0,
        purpose=TaskPurpose.LABEL,
        reserved_for=membership.user_id,
    )
    mine = _own(membership).filter(task__reserved_for=membership.user_id).values("task")
    return _without_tags(tasks.exclude(pk__in=mine), membership).order_by("batch__number", "-priority", "pk")


def queue_count(*, project: Project, annotator: User) -> int:
    """Return how many tasks this person could still do, the one in hand included: at most MOST_COUNTED."""
    members = Membership.objects.filter(project=project, user=annotator, role=Role.ANNOTATOR, is_active=True)
    membership = members.first()
    if membership is None:
        return 0
    n = Assignment.objects.filter(
        task__project=project, annotator=annotator, state=AssignmentState.HELD, lease_expires_at__gt=timezone.now()
    ).count()
    n += tasks_reserved(membership=membership).count()
    place = queue_place(membership=membership)
    if place is not None and n + _n_free(membership, place, MOST_COUNTED - n) >= MOST_COUNTED:
        return MOST_COUNTED
    return min(MOST_COUNTED, n + _n_free(membership, None, MOST_COUNTED - n))


def queue_place(*, membership: Membership) -> Place | None:
    """Return the place behind which this person's next look begins."""
    kept = membership.queue_position
    return Place(*kept["after"]) if kept and kept["after"] else None


def task_to_show(*, task_id: int) -> Task:
    """Return a task with its prompt, its items and their texts."""
    return Task.objects.select_related("prompt").prefetch_related(_ITEMS).get(pk=task_id)


def items_of(*, task: Task) -> list[TaskItem]:
    """Return a task's items with their texts; those of `task_to_show` are there already."""
    prefetch_related_objects([task], _ITEMS)
    return list(task.items.all())


def _n_free(membership: Membership, after: Place | None, at_most: int) -> int:
    n = 0
    for _place, is_free in _walk(membership, after):
        n += is_free
        if n >= at_most:
            break
    return n


def _walk(membership: Membership, after: Place | None) -> Iterator[tuple[Place, bool]]:
    """Yield the open tasks behind a place, each with whether this person may still have it."""
    batches = Batch.objects.filter(project=membership.project_id, state=BatchState.OPEN)
    if after is not None:
        batches = batches.filter(number__gte=after.batch)
    for batch_id, number in batches.order_by("number").values_list("pk", "number"):
        place = after if after is not None and after.batch == number else None
        length = STRETCH
        while True:
            rows = _stretch(batch_id, place, length)
            if not rows:
                break
            taken = _not_for(membership, [pk for _, pk in rows])
            for priority, pk in rows:
                place = Place(number, priority, pk)
                yield place, pk not in taken
            if len(rows) < length:
                break
            length = min(4 * length, LONGEST_STRETCH)


def _stretch(batch_id: int, after: Place | None, length: int) -> list[tuple[int, int]]:
    """Return (priority, id) of a batch's next open tasks."""
    tasks = (
        Task.objects.filter(batch=batch_id, open_slots__gt=0, purpose=TaskPurpose.LABEL, reserved_for=None)
        .order_by("-priority", "pk")
        .values_list("priority", "pk")
    )
    if after is None:
        return list(tasks[:length])
    # Two looks, each one range of the index: as one condition, all that lies before the place would be read, too.
    rows = list(tasks.filter(priority=after.priority, pk__gt=after.task)[:length])
    if len(rows) < length:
        rows += tasks.filter(priority__lt=after.priority)[: length - len(rows)]
    return rows


def _not_for(membership: Membership, tasks: list[int]) -> set[int]:
    """Return which of these tasks this person judged, skipped or holds, or does not want to see."""
    # By their range: so the query has two numbers in it, however many tasks there are.
    own = _own(membership).filter(task__gte=min(tasks), task__lte=max(tasks))
    taken = set(own.values_list("task", flat=True))
    if membership.opted_out_tags:
        unwanted = Task.objects.filter(pk__in=tasks)
        taken |= set(tasks) - set(_without_tags(unwanted, membership).values_list("pk", flat=True))
    return taken


def _own(membership: Membership) -> QuerySet[Assignment]:
    # A task that this person let expire comes again.
    return Assignment.objects.filter(annotator=membership.user_id).exclude(state=AssignmentState.EXPIRED)


def _without_tags(tasks: QuerySet[Task], membership: Membership) -> QuerySet[Task]:
    for tag in membership.opted_out_tags:
        tasks = _without_tag(tasks, tag)
    return tasks


def _without_tag(tasks: QuerySet[Task], tag: str) -> QuerySet[Task]:
    # No lookup of JSON finds a member of a list on both databases. As text, a tag stands between quotes: with escapes
    # as SQLite keeps what was stored, without them as PostgreSQL writes it.
    tags = Cast("prompt__tags", TextField())
    for spelling in {json.dumps(tag), json.dumps(tag, ensure_ascii=False)}:
        tasks = tasks.filter(Exact(StrIndex(tags, Value(spelling)), 0))
    return tasks
