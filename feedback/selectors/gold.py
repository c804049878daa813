"""Tasks with a known answer, and what people's judgments of them and of repeats say about the people."""

import dataclasses
import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Coalesce

from feedback.domain.gold import Mark, ranking_mark
from feedback.domain.ranking import LETTERS
from feedback.domain.states import EXPORTED, KNOWN, AssignmentState, BatchState, TaskPurpose
from feedback.models import Assignment, Batch, Gold, Judgment, Membership, Project, Task

CHUNK = 500
"""Judgments read at once: ranks are short, and SQLite takes 999 parameters."""


@dataclasses.dataclass(frozen=True)
class GoldResult:
    """How one person judged the hidden gold tasks of a project."""

    annotator: int
    """User id."""
    n_right: int
    n_judged: int


@dataclasses.dataclass(frozen=True)
class RepeatPair:
    """What somebody said about the same answers twice; each the last word on its task."""

    first: Judgment
    again: Judgment


@dataclasses.dataclass(frozen=True)
class TaskAnswer:
    """A distinct answer of a task under the letter by which an admin enters its known rank."""

    letter: str
    text: str


def gold_list(*, project: Project) -> QuerySet[Gold]:
    """Return a project's known answers, those in use first, then the newest first; slice it."""
    golds = Gold.objects.filter(task__project=project).select_related("task__prompt")
    return golds.order_by(F("retired_at").desc(nulls_first=True), "-pk")


def gold_get(*, project: Project, gold_id: int) -> Gold | None:
    """Return a known answer of this project, or None."""
    return Gold.objects.filter(task__project=project, pk=gold_id).select_related("task").first()


def task_to_know(*, project: Project, task_id: int) -> Task | None:
    """Return a task of which a known answer can be made: an ordinary one of this project with answers."""
    tasks = Task.objects.filter(project=project, pk=task_id, purpose=TaskPurpose.LABEL, items__isnull=False)
    return tasks.select_related("prompt").first()


def task_answers(*, task: Task) -> list[TaskAnswer]:
    """Return the distinct answers in the order of their items, which is the same for everybody who asks."""
    texts = dict(task.items.order_by("-item", "-pk").values_list("item", "response__text"))
    return [TaskAnswer(LETTERS[item], texts[item]) for item in sorted(texts)]


def known_in_use_exists(*, project: Project, purposes: Sequence[TaskPurpose] = KNOWN) -> bool:
    """Return whether the project shows known answers of these purposes to somebody."""
    return Task.objects.filter(project=project, purpose__in=purposes, gold__retired_at=None).exists()


def gold_unjudged(*, membership: Membership) -> list[int]:
    """Return the ids of the gold tasks in use that this person neither had nor does not want to see."""
    own = Assignment.objects.filter(task=OuterRef("pk"), annotator=membership.user_id)
    tasks = Task.objects.filter(project=membership.project_id, purpose=TaskPurpose.GOLD, gold__retired_at=None)
    left = tasks.exclude(Exists(own.exclude(state=AssignmentState.EXPIRED)))
    unwanted = set(membership.opted_out_tags)
    return [pk for pk, tags in left.order_by("pk").values_list("pk", "prompt__tags") if not unwanted & set(tags)]


def gold_batch(*, project: Project, judged_at: dt.datetime) -> int | None:
    """Return the id of a batch that was open when a gold task was judged and still is, or None.

    Its other judgments can be corrected; if the gold one could be for longer, it would give itself away.
    """
    batches = Batch.objects.filter(project=project, state=BatchState.OPEN)
    return (
        batches.annotate(since=Coalesce("opened_at", "created_at"))
        .filter(since__lte=judged_at)
        .order_by("number")
        .values_list("pk", flat=True)
        .first()
    )


def gold_marks(*, tasks: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return {task id: (judged right, judged)} of tasks with a known answer."""
    counts: dict[int, tuple[int, int]] = {}
    for judgment, mark in _marked(Judgment.objects.filter(task__in=list(tasks))):
        n_right, n_judged = counts.get(judgment.task_id, (0, 0))
        counts[judgment.task_id] = (n_right + mark.is_right, n_judged + 1)
    return counts


def gold_results(*, project: Project) -> list[GoldResult]:
    """Return each person's gold accuracy, retired tasks included, by user id. Those who judged none are left out."""
    counts: dict[int, list[bool]] = defaultdict(list)
    judgments = Judgment.objects.filter(task__project=project, task__purpose=TaskPurpose.GOLD)
    for judgment, mark in _marked(judgments):
        counts[judgment.annotator_id].append(mark.is_right)
    return [GoldResult(annotator, sum(rights), len(rights)) for annotator, rights in sorted(counts.items())]


def repeat_pairs(*, project: Project) -> Iterator[RepeatPair]:
    """Yield what people said about a task and, later, about its repeat."""
    repeats = Judgment.objects.filter(
        task__project=project, task__purpose=TaskPurpose.REPEAT, superseded_by=None
    ).select_related("task")
    for chunk in _chunks(repeats):
        firsts = Judgment.objects.filter(
            task__in={judgment.task.repeat_of_id for judgment in chunk},
            annotator__in={judgment.annotator_id for judgment in chunk},
            task__purpose__in=EXPORTED,
            superseded_by=None,
        )
        by_person = {(first.task_id, first.annotator_id): first for first in firsts}
        for again in chunk:
            assert again.task.repeat_of_id is not None, "a repeat is one of a task"
            yield RepeatPair(by_person[again.task.repeat_of_id, again.annotator_id], again)


def judgment_mark(*, judgment: Judgment, gold: Gold) -> Mark:
    """Return a judgment next to the known answer of its task."""
    return ranking_mark(
        known=gold.ranks, given=judgment.ranks, cannot_judge=judgment.cannot_judge, tolerance=gold.tolerance
    )


def _marked(judgments: QuerySet[Judgment]) -> Iterator[tuple[Judgment, Mark]]:
    for chunk in _chunks(judgments.filter(superseded_by=None).select_related("task__gold")):
        for judgment in chunk:
            yield judgment, judgment_mark(judgment=judgment, gold=judgment.task.gold)


def _chunks(judgments: QuerySet[Judgment]) -> Iterator[list[Judgment]]:
    position = 0
    while chunk := list(judgments.filter(pk__gt=position).order_by("pk")[:CHUNK]):
        position = chunk[-1].pk
        yield chunk
