"""All that ever happened to a task, in one line of time, for whoever runs the project."""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator

from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from feedback.domain.protocol import SkipReason
from feedback.domain.ranking import LETTERS
from feedback.domain.states import AssignmentState
from feedback.models import Assignment, Judgment, Report, Task, TaskItem, Transition
from feedback.selectors.person import pseudonyms

PEOPLE = 200
"""Of whom a history tells, the latest: a task with a known answer is judged by everybody."""


class Happening(TextChoices):
    MADE = "made", _("Made")
    HELD = "held", _("Handed out")
    SHOWN = "shown", _("Shown")
    EXPIRED = "expired", _("Lease ended")
    RELEASED = "released", _("Skipped")
    JUDGED = "judged", _("Judged")
    CORRECTED = "corrected", _("Corrected")
    REPORTED = "reported", _("Reported")
    RESOLVED = "resolved", _("Report done")
    CHANGED = "changed", _("Changed")


@dataclasses.dataclass(frozen=True)
class ShownAnswer:
    item: int
    letter: str
    """By item number, the same in the whole history; what annotators saw was shuffled."""
    text: str
    sources: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Happened:
    at: dt.datetime
    what: Happening
    who: str
    """Pseudonym in this project; empty when the system did it, or somebody who has none."""
    text: str = ""
    """A reason, a report, or what was changed."""
    judgment: Judgment | None = None
    order: str = ""
    """Of a judgment: the answers from best to worst, `A > B = C`."""
    flags: tuple[tuple[str, str], ...] = ()
    """Of a judgment: (letter, flag)."""


@dataclasses.dataclass(frozen=True)
class TaskHistory:
    answers: list[ShownAnswer]
    assignments: list[Assignment]
    """By person; those of the latest people."""
    names: dict[int, str]
    """Pseudonym by user id."""
    events: list[Happened]
    """The oldest first."""


def task_history(*, task: Task) -> TaskHistory:
    """Return the task's answers with their sources and everything that happened to it."""
    assignments = list(task.assignments.order_by("-pk")[:PEOPLE])[::-1]
    names = pseudonyms(project=task.project)
    events = [
        Happened(task.created_at, Happening.MADE, ""),
        *_of_assignments(assignments, names),
        *_of_judgments(assignments, names),
        *_of_reports(task, names),
        *_of_task(task, names),
    ]
    return TaskHistory(
        answers=_answers(task),
        assignments=assignments,
        names=names,
        events=sorted(events, key=lambda event: event.at),
    )


def _answers(task: Task) -> list[ShownAnswer]:
    items: dict[int, list[TaskItem]] = {}
    for item in task.items.select_related("response__source"):
        items.setdefault(item.item, []).append(item)
    return [
        ShownAnswer(
            item=number,
            letter=LETTERS[number],
            text=group[0].response.text,
            sources=tuple(sorted({item.response.source.name for item in group})),
        )
        for number, group in sorted(items.items())
    ]


def _of_assignments(assignments: list[Assignment], names: dict[int, str]) -> Iterator[Happened]:
    for assignment in assignments:
        if assignment.shown_at is not None:
            yield Happened(assignment.shown_at, Happening.SHOWN, names.get(assignment.annotator_id, ""))
    by_id = {assignment.pk: assignment for assignment in assignments}
    for change in _transitions("feedback.assignment", by_id):
        if change.to_state == AssignmentState.SUBMITTED:
            continue  # its judgment says so
        who = names.get(by_id[change.object_id].annotator_id, "")
        yield Happened(change.created_at, Happening(change.to_state), who, text=_why(change.reason))


def _why(reason: str) -> str:
    """Return why an assignment ended in the reader's language; the note behind a reason to skip stays as it is."""
    kind, colon, note = reason.partition(":")
    said = str(SkipReason(kind).label) if kind in SkipReason.values else gettext(kind)
    return f"{said}{colon}{note}"


def _of_judgments(assignments: list[Assignment], names: dict[int, str]) -> Iterator[Happened]:
    judgments = Judgment.objects.filter(assignment__in=[assignment.pk for assignment in assignments])
    for judgment in judgments.select_related("protocol", "hold").order_by("pk"):
        yield Happened(
            at=judgment.created_at,
            what=Happening.CORRECTED if judgment.supersedes_id else Happening.JUDGED,
            who=names.get(judgment.annotator_id, ""),
            judgment=judgment,
            order=order_of(judgment.ranks),
            flags=tuple((LETTERS[flag["item"]], flag["flag"]) for flag in judgment.flags),
        )


def _of_reports(task: Task, names: dict[int, str]) -> Iterator[Happened]:
    for report in Report.objects.filter(task=task).order_by("pk"):
        yield Happened(report.created_at, Happening.REPORTED, names.get(report.annotator_id, ""), text=report.text)
        if report.resolved_at is not None:
            resolved_by = names.get(report.resolved_by_id or 0, "")
            yield Happened(report.resolved_at, Happening.RESOLVED, resolved_by, text=report.text)


def _of_task(task: Task, names: dict[int, str]) -> Iterator[Happened]:
    """Yield what admins, adjudicators and the rules did to the task itself."""
    adjudication = getattr(task, "adjudication", None)
    changes = [*_transitions("feedback.task", [task.pk])]
    if adjudication is not None:
        changes += _transitions("feedback.adjudication", [adjudication.pk])
    for change in changes:
        said = f"{change.to_state}: {change.reason}" if change.reason else change.to_state
        yield Happened(change.created_at, Happening.CHANGED, names.get(change.actor_id or 0, ""), text=said)


def _transitions(object_type: str, ids: Iterable[int]) -> list[Transition]:
    return list(Transition.objects.filter(object_type=object_type, object_id__in=list(ids)).order_by("pk"))


def order_of(ranks: list[int | None]) -> str:
    """Return ranks by item as letters from best to worst: [2, 1, 1, None] is `B = C > A`."""
    by_rank: dict[int, list[str]] = {}
    for item, rank in enumerate(ranks):
        if rank is not None:
            by_rank.setdefault(rank, []).append(LETTERS[item])
    return " > ".join(" = ".join(letters) for _, letters in sorted(by_rank.items()))
