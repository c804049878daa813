"""What people said about answers, row by row, as the statistics need it: numbers alone, no texts.

Read in chunks by id, each a query of its own, so that three million judgments keep no cursor open.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db.models import F, Max, QuerySet, Sum
from django.db.models.functions import Coalesce, Length

from feedback.domain.ranking import Rank
from feedback.domain.states import AdjudicationState
from feedback.models import Gold, Judgment, Project, Task, TaskItem

CHUNK = 5_000
"""Judgments read at once: no texts are among them, so a chunk is a megabyte."""
TASK_CHUNK = 500
"""Tasks read at once: SQLite takes at most 999 parameters."""

_FIELDS = (
    "pk", "judged", "annotator_id", "ranks", "cannot_judge", "assignment__order", "task__purpose", "counted",
    "active_s", "created_at", "flags", "supersedes_id",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class VoteRow:
    """A judgment that nobody has corrected."""

    judgment: int
    task: int
    """A repeat has the id of the task that it repeats."""
    annotator: int
    ranks: tuple[float | None, ...]
    """By item number; infinite where an answer was left unranked, None where it could not be judged."""
    order: tuple[int, ...]
    """Item numbers by shown position."""
    purpose: str
    counted: bool
    seconds: float | None
    at: float
    """Seconds since the epoch."""
    flags: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class TaskRow:
    """A task and its answers by item number."""

    task: int
    prompt: int
    lengths: tuple[int, ...]
    """Characters."""
    sources: tuple[tuple[str, ...], ...]
    """Keys of all sources that gave the answer."""
    gold: tuple[float | None, ...]
    """The known ranks; empty where nothing is known."""
    tolerance: float


def judgment_last_id(*, project: Project) -> int:
    """Return the id of the project's newest judgment, 0 where there is none."""
    return Judgment.objects.filter(task__project=project).aggregate(last=Max("pk"))["last"] or 0


def vote_rows(*, project: Project, until: int) -> Iterator[list[VoteRow]]:
    """Yield chunks of the judgments that stand or were taken back, up to an id, in the order in which they came."""
    rows = _standing(project).filter(pk__lte=until).annotate(judged=Coalesce("task__repeat_of", "task"))
    rows = rows.order_by("pk")
    position = 0
    while chunk := list(rows.filter(pk__gt=position).values_list(*_FIELDS)[:CHUNK]):
        position = chunk[-1][0]
        corrected = _seconds_with_corrections([row[0] for row in chunk if row[-1] is not None])
        yield [
            VoteRow(
                judgment=pk, task=task, annotator=annotator, ranks=ranks_filled(ranks, cannot_judge),
                order=tuple(order), purpose=purpose, counted=counted, seconds=corrected.get(pk, seconds),
                at=at.timestamp(), flags=tuple(flag["flag"] for flag in flags),
            )
            for pk, task, annotator, ranks, cannot_judge, order, purpose, counted, seconds, at, flags, _ in chunk
        ]  # fmt: skip


def task_rows(*, task_ids: Sequence[int]) -> Iterator[list[TaskRow]]:
    """Yield chunks of the tasks with these sorted ids."""
    for start in range(0, len(task_ids), TASK_CHUNK):
        chunk = task_ids[start : start + TASK_CHUNK]
        prompts = dict(Task.objects.filter(pk__in=chunk).values_list("pk", "prompt_id"))
        known = {gold.task_id: gold for gold in Gold.objects.filter(task__in=chunk)}
        answers = _answers(chunk)
        yield [_task_row(task, prompts[task], answers[task], known.get(task)) for task in chunk]


def decisions(*, project: Project, until: int) -> dict[int, tuple[int, ...]]:
    """Return the ranks that adjudicators decided on, by task; an answer that could not be judged comes last."""
    decided = _standing(project).filter(
        assignment__judgments__adjudication__state=AdjudicationState.DECIDED, pk__lte=until
    )
    decided = decided.exclude(n_pairs=0, n_ties=0)  # says nothing
    return {
        task: tuple(rank or _after_all(ranks) for rank in ranks)
        for task, ranks in decided.values_list("task_id", "ranks")
    }


def ranks_filled(ranks: Sequence[Rank], cannot_judge: Sequence[int]) -> tuple[float | None, ...]:
    """Return ranks that compare as `feedback.domain.ranking` says: unranked answers are infinitely far behind.

    None where an answer could not be judged, and everywhere when nothing was ranked.
    """
    if all(rank is None for rank in ranks):
        return tuple(None for _ in ranks)
    return tuple(None if item in cannot_judge else float(rank or math.inf) for item, rank in enumerate(ranks))


def _after_all(ranks: Sequence[Rank]) -> int:
    return 1 + sum(rank is not None for rank in ranks)


def _standing(project: Project) -> QuerySet[Judgment]:
    return Judgment.objects.filter(task__project=project, superseded_by=None)


def _seconds_with_corrections(judgment_ids: Sequence[int]) -> dict[int, float | None]:
    """Return the seconds of corrected tasks: a correction takes a moment, and it is the whole work that counts."""
    found: dict[int, float | None] = {}
    for start in range(0, len(judgment_ids), TASK_CHUNK):
        rows = Judgment.objects.filter(pk__in=judgment_ids[start : start + TASK_CHUNK])
        found |= dict(rows.annotate(all_s=Sum("assignment__judgments__active_s")).values_list("pk", "all_s"))
    return found


def _answers(task_ids: Sequence[int]) -> dict[int, dict[int, list[tuple[str, int]]]]:
    """Return (source's key, characters) of each response by task and item."""
    found: dict[int, dict[int, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    rows = TaskItem.objects.filter(task__in=task_ids).order_by("pk")
    rows = rows.annotate(key=F("response__source__key"), characters=Length("response__text"))
    for task, item, key, characters in rows.values_list("task_id", "item", "key", "characters"):
        found[task][item].append((key, characters))
    return found


def _task_row(task: int, prompt: int, answers: dict[int, list[tuple[str, int]]], gold: Gold | None) -> TaskRow:
    items = [answers[item] for item in sorted(answers)]
    return TaskRow(
        task=task,
        prompt=prompt,
        lengths=tuple(responses[0][1] for responses in items),
        sources=tuple(tuple(sorted({key for key, _ in responses})) for responses in items),
        gold=() if gold is None else ranks_filled(gold.ranks, ()),
        tolerance=0.0 if gold is None else gold.tolerance,
    )
