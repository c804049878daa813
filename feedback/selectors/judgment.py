"""Stored judgments, in chunks, so that a project of any size streams in constant memory.

Chunks are read by id and each is a query of its own: no cursor stays open while somebody downloads slowly.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Count, Max, QuerySet, Sum

from feedback.domain.judging import StoredVerdict, verdict_as_shown
from feedback.domain.states import EXPORTED, FinishReason
from feedback.domain.verdict import Verdict
from feedback.models import Judgment, Project, Snapshot, TaskItem
from feedback.selectors.person import pseudonyms
from feedback.selectors.quality import TaskConsensus, Worth, report_computed, worth_of, worth_of_snapshot

CHUNK = 250
"""Judgments read at once: some megabytes with their texts, and under SQLite's 999 parameters."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A distinct answer of a task, as exports know it."""

    text: str
    sources: tuple[str, ...]
    """Keys of all sources that gave this very text."""
    cut: bool
    """Every one of them was cut at the length limit."""


@dataclasses.dataclass(frozen=True)
class Judged:
    """A judgment with all that an export writes about it."""

    judgment: Judgment
    annotator: str
    answers: list[Answer]
    reliability: float | None
    """Of the annotator, by the newest quality report; None before the first one."""
    weight: float | None
    """Of the annotator's judgments in the consensus."""
    consensus: TaskConsensus | None
    """What all judgments of the task say together; a repeat has that of the task that it repeats."""


@dataclasses.dataclass(frozen=True)
class JudgmentCounts:
    n_judgments: int
    n_pairs: int
    n_ties: int
    n_prompts: int
    n_annotators: int


def judgment_verdict(*, judgment: Judgment) -> Verdict:
    """Return what the person said, by the letters that they saw."""
    stored = StoredVerdict(
        ranks=judgment.ranks,
        cannot_judge=judgment.cannot_judge,
        all_bad=judgment.all_bad,
        strength=judgment.strength,
        ratings=judgment.ratings,
        flags=judgment.flags,
        edited_item=judgment.edited_item,
        edited_answer=judgment.edited_answer,
    )
    return verdict_as_shown(stored, judgment.assignment.order)


def judgments_counted(*, project: Project) -> QuerySet[Judgment]:
    """Return the judgments that stand: counted, not corrected, and about the answers, not about the annotators."""
    return Judgment.objects.filter(task__project=project, task__purpose__in=EXPORTED, counted=True, superseded_by=None)


def judgment_counts(*, judgments: QuerySet[Judgment]) -> JudgmentCounts:
    """Return figures without reading any ranks."""
    counts = judgments.aggregate(
        n_judgments=Count("pk"),
        n_pairs=Sum("n_pairs", default=0),
        n_ties=Sum("n_ties", default=0),
        n_prompts=Count("task__prompt", distinct=True),
        n_annotators=Count("annotator", distinct=True),
    )
    return JudgmentCounts(**counts)


def project_counts(*, project: Project) -> JudgmentCounts:
    """Return the figures of the judgments that stand."""
    return judgment_counts(judgments=judgments_counted(project=project))


def judged_of_project(*, project: Project) -> Iterator[Judged]:
    """Yield the judgments that stand, in the order in which they came.

    Judgments that come while this is read are left out.
    """
    return _judged_in_chunks(project, judgments_counted(project=project))


def judged_with_text(*, project: Project) -> Iterator[Judged]:
    """Yield the judgments that stand and came with an improved or a written answer."""
    return _judged_in_chunks(project, judgments_counted(project=project).exclude(edited_answer=""))


def _judged_in_chunks(project: Project, rows: QuerySet[Judgment]) -> Iterator[Judged]:
    last = rows.aggregate(last=Max("pk"))["last"] or 0
    names = pseudonyms(project=project)
    worth = worth_of(report_computed(project=project))
    position = 0
    while position < last:
        chunk = list(_with_context(rows.filter(pk__gt=position, pk__lte=last))[:CHUNK])
        if not chunk:
            return
        position = chunk[-1].pk
        yield from _judged(chunk, names, worth)


def judged_of_snapshot(*, snapshot: Snapshot) -> Iterator[Judged]:
    """Yield the pinned judgments, also those that were corrected after they were pinned."""
    worth = worth_of_snapshot(snapshot)
    return judged_by_ids(project=snapshot.project, judgment_ids=snapshot.judgment_ids, worth=worth)


def judged_by_ids(*, project: Project, judgment_ids: Sequence[int], worth: Worth) -> Iterator[Judged]:
    """Yield the judgments with these sorted ids, and what one report says of the people who made them."""
    names = pseudonyms(project=project)
    for start in range(0, len(judgment_ids), CHUNK):
        rows = Judgment.objects.filter(pk__in=judgment_ids[start : start + CHUNK])
        yield from _judged(list(_with_context(rows)), names, worth)


def judgment_rows(*, project: Project, known: bool = False) -> Iterator[dict[str, Any]]:
    """Yield every judgment ever made as it was made, also late and corrected ones.

    With `known` also those of tasks with a known answer and of repeats, which say something about the people.
    """
    rows = Judgment.objects.filter(task__project=project)
    for judged in _judged_in_chunks(project, rows if known else rows.filter(task__purpose__in=EXPORTED)):
        judgment = judged.judgment
        yield {
            "judgment": judgment.pk,
            "task": judgment.task_id,
            "prompt_id": judgment.task.prompt_id,
            "batch": judgment.task.batch.number if judgment.task.batch else None,
            "purpose": judgment.task.purpose,
            "repeat_of": judgment.task.repeat_of_id,
            "annotator": judged.annotator,
            "created_at": judgment.created_at.isoformat(),
            "protocol": judgment.protocol.number,
            "kind": judgment.protocol.kind,
            "prompt": judgment.task.prompt.messages,
            "answers": [
                {"text": answer.text, "source": source_label(answer), "cut": answer.cut} for answer in judged.answers
            ],
            "ranks": judgment.ranks,
            "cannot_judge": judgment.cannot_judge,
            "all_bad": judgment.all_bad,
            "strength": judgment.strength,
            "ratings": judgment.ratings,
            "flags": judgment.flags,
            "edited_item": judgment.edited_item,
            "edited_answer": judgment.edited_answer,
            "shown_order": judgment.assignment.order,
            "counted": judgment.counted,
            "supersedes": judgment.supersedes_id,
            "rationale": judgment.rationale,
            "active_s": judgment.active_s,
            "reliability": judged.reliability,
            "weight": judged.weight,
            "consensus_ranks": judged.consensus.ranks if judged.consensus else None,
            "confidence": judged.consensus.confidence if judged.consensus else None,
        }


def source_label(answer: Answer) -> str:
    """Return the key of the answer's source; several that gave the same text are joined by a plus."""
    return "+".join(answer.sources)


def _with_context(judgments: QuerySet[Judgment]) -> QuerySet[Judgment]:
    return judgments.select_related("task__prompt", "task__batch", "protocol", "assignment").order_by("pk")


def _judged(judgments: Sequence[Judgment], names: dict[int, str], worth: Worth) -> Iterator[Judged]:
    items: dict[int, dict[int, list[TaskItem]]] = defaultdict(lambda: defaultdict(list))
    task_ids = {judgment.task_id for judgment in judgments}
    for item in TaskItem.objects.filter(task__in=task_ids).select_related("response__source").order_by("pk"):
        items[item.task_id][item.item].append(item)
    consensus = worth.consensus({_judged_task(judgment) for judgment in judgments})
    for judgment in judgments:
        answers = items[judgment.task_id]
        yield Judged(
            judgment=judgment,
            annotator=names[judgment.annotator_id],
            answers=[_answer(answers[number]) for number in sorted(answers)],
            reliability=worth.reliability(judgment.annotator_id),
            weight=worth.weight(judgment.annotator_id),
            consensus=consensus.get(_judged_task(judgment)),
        )


def _judged_task(judgment: Judgment) -> int:
    return judgment.task.repeat_of_id or judgment.task_id


def _answer(items: Sequence[TaskItem]) -> Answer:
    return Answer(
        text=items[0].response.text,
        sources=tuple(sorted({item.response.source.key for item in items})),
        cut=all(item.response.finish_reason == FinishReason.LENGTH for item in items),
    )
