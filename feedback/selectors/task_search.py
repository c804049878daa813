"""Tasks as an admin looks for them: by number, prompt, words, tag, state, batch and purpose, in pages."""

import dataclasses
from collections.abc import Sequence

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from feedback.domain.states import AdjudicationState, AssignmentState
from feedback.domain.task_filter import TaskFilter, TaskState
from feedback.models import Adjudication, Assignment, Project, Task
from feedback.selectors.keyset import LISTED_PART, LOOK_S, NARROW, Found, keyset_page, narrow_ids
from feedback.selectors.prompt import prompt_excerpt
from feedback.selectors.prompt_search import prompt_ids_narrow, with_words

_HELD = Assignment.objects.filter(task=OuterRef("pk"), state=AssignmentState.HELD)
_WAITING = Adjudication.objects.filter(task=OuterRef("pk"), state=AdjudicationState.WAITING)


@dataclasses.dataclass(frozen=True)
class TaskLine:
    """A task as a list shows it."""

    task: Task
    excerpt: str
    """The beginning of the last turn of the prompt."""
    n_held: int
    n_judged: int
    """Judgments that count."""
    state: TaskState


def task_search(
    *, project: Project, asked: TaskFilter, below: int | None = None, limit: int, look_s: float = LOOK_S
) -> Found[Task]:
    """Return a page of the tasks that were asked for, the newest first."""
    return keyset_page(
        rows=_reached(project, asked),
        matching=lambda part: _matching(part, asked).select_related("prompt", "batch"),
        narrow=lambda: _ids_narrow(project, asked),
        below=below,
        limit=limit,
        look_s=look_s,
    )


def task_get(*, project: Project, task_id: int) -> Task | None:
    """Return a task of this project, or None."""
    rows = Task.objects.select_related("prompt", "batch", "reserved_for", "repeat_of")
    return rows.filter(project=project, pk=task_id).first()


def task_ids_of(*, project: Project, task_ids: Sequence[int]) -> list[int]:
    """Return those of these ids that are tasks of this project."""
    return list(Task.objects.filter(project=project, pk__in=task_ids[:LISTED_PART]).values_list("pk", flat=True))


def task_newest_id(*, project: Project) -> int:
    """Return the id of the project's newest task, 0 without any."""
    return Task.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True).first() or 0


def task_lines(*, tasks: Sequence[Task]) -> list[TaskLine]:
    """Return what a list says about these tasks, in two queries for all of them."""
    ids = [task.pk for task in tasks]
    held = Assignment.objects.filter(task__in=ids, state=AssignmentState.HELD).values("task").annotate(n=Count("pk"))
    n_held = dict(held.values_list("task", "n"))
    waiting = set(
        Adjudication.objects.filter(task__in=ids, state=AdjudicationState.WAITING).values_list("task_id", flat=True)
    )
    return [_line(task, n_held.get(task.pk, 0), is_waiting=task.pk in waiting) for task in tasks]


def _line(task: Task, n_held: int, *, is_waiting: bool) -> TaskLine:
    # Every slot is open, held or filled.
    states = {TaskState.ADJUDICATION: is_waiting, TaskState.HELD: n_held > 0, TaskState.OPEN: task.open_slots > 0}
    return TaskLine(
        task=task,
        excerpt=prompt_excerpt(prompt=task.prompt),
        n_held=n_held,
        n_judged=task.overlap - task.open_slots - n_held,
        state=next((state for state, holds in states.items() if holds), TaskState.FINISHED),
    )


def _reached(project: Project, asked: TaskFilter) -> QuerySet[Task]:
    """Return the tasks by what indexes in the order of ids answer."""
    rows = Task.objects.filter(project=project)
    if asked.number is not None:
        rows = rows.filter(pk=asked.number)
    if asked.prompt is not None:
        rows = rows.filter(prompt=asked.prompt)
    if asked.batch is not None:
        # Looked up first: the planner knows how many tasks a batch has, and of a subquery nothing.
        batch = project.batches.filter(number=asked.batch).first()
        rows = rows.none() if batch is None else rows.filter(batch=batch.pk)
    if asked.state == TaskState.FINISHED:
        rows = rows.filter(open_slots=0)
    return rows


def _matching(rows: QuerySet[Task], asked: TaskFilter) -> QuerySet[Task]:
    if asked.purpose is not None:
        rows = rows.filter(purpose=asked.purpose)
    if asked.state is not None:
        rows = rows.filter(_CONDITIONS[asked.state])
    return with_words(rows, "prompt__", words=asked.words, tag=asked.tag)


_CONDITIONS = {
    TaskState.OPEN: Q(open_slots__gt=0, batch__isnull=False),
    TaskState.HELD: Exists(_HELD),
    TaskState.FINISHED: Q(open_slots=0) & ~Exists(_HELD),
    TaskState.DISAGREEING: Q(overlap__gt=F("batch__overlap")),
    TaskState.ADJUDICATION: Exists(_WAITING),
}


def _ids_narrow(project: Project, asked: TaskFilter) -> list[int] | None:
    """Return all ids that can match when an index finds them and they are few."""
    of_words = _ids_by_words(project, asked)
    if of_words is not None or asked.state is None or asked.state == TaskState.FINISHED:
        return of_words
    if asked.state in {TaskState.HELD, TaskState.ADJUDICATION}:
        return _ids_by_rows(project, asked.state)
    # By the batches, whose indexes hold the open tasks and the overlaps.
    batches = list(project.batches.values_list("pk", "overlap"))
    if asked.state == TaskState.OPEN:
        return narrow_ids(Task.objects.filter(batch__in=[pk for pk, _ in batches], open_slots__gt=0))
    raised = Q(pk=None)
    for pk, overlap in batches:
        raised |= Q(batch=pk, overlap__gt=overlap)
    return narrow_ids(Task.objects.filter(raised))


def _ids_by_words(project: Project, asked: TaskFilter) -> list[int] | None:
    prompts = prompt_ids_narrow(project=project, words=asked.words, tag=asked.tag)
    if prompts is None:
        return None
    ids: list[int] = []
    for start in range(0, len(prompts), LISTED_PART):
        part = prompts[start : start + LISTED_PART]
        ids += Task.objects.filter(prompt__in=part).values_list("pk", flat=True)
    return ids


def _ids_by_rows(project: Project, state: TaskState) -> list[int] | None:
    """Return the tasks that are held, or wait for an adjudicator, by the indexes that hold nothing else."""
    held = Assignment.objects.filter(state=AssignmentState.HELD, task__project=project)
    waiting = Adjudication.objects.filter(state=AdjudicationState.WAITING, task__project=project)
    by_task = (held if state == TaskState.HELD else waiting).values_list("task_id", flat=True)
    ids = list(by_task[: NARROW + 1])
    return ids if len(ids) <= NARROW else None
