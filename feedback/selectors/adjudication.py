"""Tasks on which people disagree, as an adjudicator sees them: everybody's judgment side by side, without names."""

import dataclasses
import random
import secrets
from collections.abc import Sequence

from django.db.models import Exists, OuterRef, QuerySet

from feedback.domain.protocol import Flag, Strength
from feedback.domain.ranking import LETTERS, Rank
from feedback.domain.states import AdjudicationState
from feedback.models import Adjudication, Assignment, Judgment, Project, User
from feedback.selectors.assignment import AssignmentView, assignment_view
from feedback.selectors.project import protocol_for


@dataclasses.dataclass(frozen=True)
class OpinionOnAnswer:
    letter: str
    """Under which the adjudicator sees the answer."""
    seen_as: str
    """Under which this annotator saw it, as their remark may call it."""
    rank: Rank
    cannot: bool
    flags: list[str]


@dataclasses.dataclass(frozen=True)
class Opinion:
    """One annotator's judgment, by number and without a name."""

    number: int
    answers: list[OpinionOnAnswer]
    strength: str
    all_bad: bool
    rationale: str
    edited_answer: str


def adjudication_list(*, project: Project, user: User) -> QuerySet[Adjudication]:
    """Return what waits and this person may decide, the longest waiting first."""
    had = Assignment.objects.filter(task=OuterRef("task"), annotator=user)
    return (
        Adjudication.objects.filter(state=AdjudicationState.WAITING, task__project=project)
        .exclude(Exists(had))
        .select_related("task__prompt", "task__batch")
        .order_by("pk")
    )


def adjudication_get(*, project: Project, adjudication_id: int) -> Adjudication | None:
    return (
        Adjudication.objects.filter(pk=adjudication_id, task__project=project)
        .select_related("task__project", "task__prompt", "task__batch", "judgment__annotator")
        .first()
    )


def adjudication_order(*, adjudication: Adjudication, user: User) -> list[int]:
    """Return the item numbers in the order in which this person sees them, always the same."""
    items = sorted(set(adjudication.task.items.values_list("item", flat=True)))
    random.Random(f"{adjudication.task_id}:{user.pk}").shuffle(items)  # noqa: S311 - item numbers say nothing about sources
    return items


def adjudication_view(*, adjudication: Adjudication, user: User) -> AssignmentView:
    """Return the task as this person would see it; its key is fresh and its assignment made when they decide."""
    task, order = adjudication.task, adjudication_order(adjudication=adjudication, user=user)
    protocol = protocol_for(project=task.project, n_answers=len(order))
    view = assignment_view(assignment=Assignment(task=task, annotator=user, order=order, protocol=protocol))
    return dataclasses.replace(
        view, assignment_id=0, client_key=f"adjudication-{adjudication.pk}-{secrets.token_urlsafe(9)}"
    )


def adjudication_opinions(*, adjudication: Adjudication, user: User) -> list[Opinion]:
    """Return the judgments that count, in the order in which they came, by the letters that this person sees."""
    order = adjudication_order(adjudication=adjudication, user=user)
    judgments = Judgment.objects.filter(task=adjudication.task_id, counted=True, superseded_by=None, adjudication=None)
    return [
        _opinion(number, judgment, order)
        for number, judgment in enumerate(judgments.select_related("assignment").order_by("pk"), start=1)
    ]


def _opinion(number: int, judgment: Judgment, order: Sequence[int]) -> Opinion:
    seen = {item: LETTERS[place] for place, item in enumerate(judgment.assignment.order)}
    answers = [
        OpinionOnAnswer(
            letter=LETTERS[place],
            seen_as=seen[item],
            rank=judgment.ranks[item],
            cannot=item in judgment.cannot_judge,
            flags=[str(Flag(flag["flag"]).label) for flag in judgment.flags if flag["item"] == item],
        )
        for place, item in enumerate(order)
    ]
    return Opinion(
        number=number,
        answers=answers,
        strength="" if judgment.strength is None else str(Strength(judgment.strength).label),
        all_bad=judgment.all_bad,
        rationale=judgment.rationale,
        edited_answer=judgment.edited_answer,
    )
