"""The queue: tasks that can still be claimed, in the order in which they are handed out.

Nothing here grows with the number of tasks or with what a person did before: the open tasks of a batch are read from an
index in their order, a stretch at a time, and of each stretch is asked which ones this person had already.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, TextField, Value
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import Exact
from django.utils import timezone

from feedback.domain.states import AssignmentState, BatchState, Role, TaskPurpose
from feedback.models import Assignment, Batch, Membership, Project, Prompt, Task, User
from feedback.selectors.rows import Rows

STRETCH = 64
"""Open tasks read at first: a person who works alone has about forty of the last sixty behind them."""
LONGEST_STRETCH = 4_096
"""A stretch that held nothing is followed by one four times as long, up to this: some milliseconds."""
MOST_COUNTED = 1_000
"""Tasks told exactly: whoever has more before them asks for no number."""


class Place(NamedTuple):
    """Where a task stands in the queue: batches by number, in each the highest priority first, then the oldest."""

    number: int
    """The batch's."""
    priority: int
    task: int
    batch: int


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
    own = Assignment.objects.filter(annotator=membership.user_id, task=OuterRef("pk"))
    tasks = tasks.exclude(Exists(own.exclude(state=AssignmentState.EXPIRED)))
    return _without_tags(tasks, membership).order_by("batch__number", "-priority", "pk")


def queue_count(*, project: Project, annotator: User) -> int:
    """Return how many tasks this person could still do, the one in hand included; above MOST_COUNTED only one more."""
    members = Membership.objects.filter(project=project, user=annotator, role=Role.ANNOTATOR, is_active=True)
    membership = members.first()
    if membership is None:
        return 0
    n = Assignment.objects.filter(
        task__project=project, annotator=annotator, state=AssignmentState.HELD, lease_expires_at__gt=timezone.now()
    ).count()
    n += tasks_reserved(membership=membership).count()
    place, at_most = place_of(membership.queue_position), MOST_COUNTED + 1
    if place is not None and n + _n_free(membership, place, at_most - n) >= at_most:
        return at_most
    return min(at_most, n + _n_free(membership, None, at_most - n))


def place_of(position: dict[str, Any] | None) -> Place | None:
    """Return the place behind which the next look begins, from what a membership keeps of the last one."""
    return Place(*position["after"]) if position and position["after"] else None


_TO_SHOW = Rows(
    """
    SELECT {task}, {prompt}, {own}
    FROM feedback_task AS task
    JOIN feedback_prompt AS prompt ON prompt.id = task.prompt_id
    LEFT JOIN feedback_assignment AS own ON own.task_id = task.id AND own.annotator_id = %s
    WHERE task.id = %s
    """,
    task=Task,
    prompt=Prompt,
    own=Assignment,
)


def task_to_show(*, task_id: int, annotator: User) -> tuple[Task, Assignment | None]:
    """Return a task with its prompt, and the assignment through which this person had it before."""
    ((task, prompt, own),) = _TO_SHOW.read(annotator.pk, task_id)
    task.prompt = prompt
    return task, own


def task_texts(*, task_id: int) -> dict[int, str]:
    """Return the text of each item of a task, as it was sampled."""
    with connection.cursor() as cursor:
        cursor.execute(_TEXTS, [task_id])
        return dict(cursor.fetchall())


_TEXTS = """
    SELECT item.item, response.text
    FROM feedback_taskitem AS item JOIN feedback_response AS response ON response.id = item.response_id
    WHERE item.task_id = %s
    ORDER BY item.item, item.id
"""


def _n_free(membership: Membership, after: Place | None, at_most: int) -> int:
    n = 0
    for _place, is_free in _walk(membership, after):
        n += is_free
        if n >= at_most:
            break
    return n


def _walk(membership: Membership, after: Place | None) -> Iterator[tuple[Place, bool]]:
    """Yield the open tasks behind a place, each with whether this person may still have it."""
    if after is not None:
        yield from _walk_batch(membership, after.batch, after.number, after)
    later = Batch.objects.filter(project=membership.project_id, state=BatchState.OPEN)
    if after is not None:
        later = later.filter(number__gt=after.number)
    for batch_id, number in later.order_by("number").values_list("pk", "number"):
        yield from _walk_batch(membership, batch_id, number, None)


def _walk_batch(
    membership: Membership, batch_id: int, number: int, after: Place | None
) -> Iterator[tuple[Place, bool]]:
    length = STRETCH
    while rows := _stretch(membership, batch_id, after, length):
        unwanted = _unwanted(membership, [pk for _, pk, _ in rows])
        for priority, pk, is_free in rows:
            after = Place(number, priority, pk, batch_id)
            yield after, bool(is_free) and pk not in unwanted
        if len(rows) < length:
            return
        length = min(4 * length, LONGEST_STRETCH)


def _stretch(membership: Membership, batch_id: int, after: Place | None, length: int) -> list[tuple[int, int, bool]]:
    """Return the next tasks of a batch, if it is open: priority, id, whether this person has not had it."""
    if after is None:
        return _read(membership, batch_id, length, "TRUE", [])
    # Two looks, each one range of the index: as one condition, all that lies before the place would be read, too.
    rows = _read(membership, batch_id, length, "task.priority = %s AND task.id > %s", [after.priority, after.task])
    if len(rows) < length:
        rows += _read(membership, batch_id, length - len(rows), "task.priority < %s", [after.priority])
    return rows


_STRETCH = """
    SELECT stretch.priority, stretch.id, own.id IS NULL
    FROM (
        SELECT task.priority, task.id
        FROM feedback_task AS task JOIN feedback_batch AS batch ON batch.id = task.batch_id
        WHERE task.batch_id = %s AND batch.state = %s AND task.open_slots > 0 AND task.purpose = %s
            AND task.reserved_for_id IS NULL AND {behind}
        ORDER BY task.priority DESC, task.id
        LIMIT %s
    ) AS stretch
    LEFT JOIN feedback_assignment AS own
        ON own.task_id = stretch.id AND own.annotator_id = %s AND own.state <> %s
    ORDER BY stretch.priority DESC, stretch.id
"""
"""As text: the limit must come before the join, so that only so many are looked up, and every claim asks this.

A task that this person let expire comes again.
"""


def _read(
    membership: Membership, batch_id: int, length: int, behind: str, place: list[int]
) -> list[tuple[int, int, bool]]:
    values: list[int | str] = [batch_id, BatchState.OPEN.value, TaskPurpose.LABEL.value]
    values += [*place, length, membership.user_id, AssignmentState.EXPIRED.value]
    with connection.cursor() as cursor:
        cursor.execute(_STRETCH.format(behind=behind), values)  # one of the three conditions above
        return list(cursor.fetchall())


def _unwanted(membership: Membership, tasks: list[int]) -> set[int]:
    """Return which of these tasks have a tag that this person does not want to see."""
    if not membership.opted_out_tags:
        return set()
    wanted = _without_tags(Task.objects.filter(pk__in=tasks), membership)
    return set(tasks) - set(wanted.values_list("pk", flat=True))


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
