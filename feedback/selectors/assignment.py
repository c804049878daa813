"""What an annotator holds, and what of it may be seen before judging: letters and texts, nothing else."""

import dataclasses
import datetime as dt
import secrets

from django.utils import timezone

from feedback.domain.messages import Message
from feedback.domain.ranking import LETTERS
from feedback.domain.states import AssignmentState
from feedback.models import Assignment, Project, Protocol, User


@dataclasses.dataclass(frozen=True)
class AnswerView:
    letter: str
    text: str


@dataclasses.dataclass(frozen=True)
class AssignmentView:
    """All that page and API know of an assignment. No ids, names, times, lengths or sources of the answers."""

    assignment_id: int
    protocol: int
    """The version of the guidelines."""
    guidelines: str
    messages: list[Message]
    answers: list[AnswerView]
    lease_expires_at: dt.datetime
    client_key: str
    """A fresh key to submit under; sent again with the same ranks it never makes a second judgment."""


def assignment_live(*, project: Project, annotator: User) -> Assignment | None:
    """Return the assignment that the annotator holds under a running lease."""
    return (
        Assignment.objects.filter(
            task__project=project,
            annotator=annotator,
            state=AssignmentState.HELD,
            lease_expires_at__gt=timezone.now(),
        )
        .select_related("task__project")
        .order_by("pk")
        .first()
    )


def assignment_get(*, assignment_id: int) -> Assignment | None:
    """Return any assignment with its task, project and annotator; who may see it is the caller's question."""
    return Assignment.objects.select_related("task__project", "annotator").filter(pk=assignment_id).first()


def assignment_view(*, assignment: Assignment) -> AssignmentView:
    """Return what may be shown of an assignment, its answers in the assignment's own blind order."""
    task = assignment.task
    texts = dict(task.items.values_list("item", "response__text"))
    protocol = assignment.protocol or Protocol.objects.filter(project=task.project_id).order_by("-number").first()
    assert protocol is not None, "a project is made with its first protocol"
    return AssignmentView(
        assignment_id=assignment.pk,
        protocol=protocol.number,
        guidelines=protocol.guidelines,
        messages=task.prompt.messages,
        answers=[AnswerView(LETTERS[shown], texts[item]) for shown, item in enumerate(assignment.order)],
        lease_expires_at=assignment.lease_expires_at,
        client_key=f"{assignment.pk}-{secrets.token_urlsafe(9)}",
    )
