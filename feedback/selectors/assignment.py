"""What an annotator holds, and what of it may be seen before judging: letters and texts, nothing else."""

import dataclasses
import datetime as dt
import secrets

from django.db.models import F, QuerySet
from django.utils import timezone

from feedback.domain.masking import names_masked
from feedback.domain.messages import Message
from feedback.domain.protocol import ProtocolKind, ProtocolOptions
from feedback.domain.ranking import LETTERS
from feedback.domain.states import AssignmentState, Role, TaskPurpose
from feedback.models import Assignment, Project, Protocol, Task, User
from feedback.selectors.project import protocol_for
from feedback.selectors.rows import Rows
from feedback.selectors.task import task_texts


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
    kind: ProtocolKind
    options: ProtocolOptions
    """Without the names that are masked and the sources that answer."""
    guidelines: str
    messages: list[Message]
    warnings: list[str]
    """What the project says before prompts with one of this prompt's tags."""
    answers: list[AnswerView]
    lease_expires_at: dt.datetime
    client_key: str
    """A fresh key to submit under; sent again with the same judgment it never makes a second one."""


def assignment_live(*, project: Project, annotator: User) -> Assignment | None:
    """Return the assignment that the annotator has in hand under a running lease: of two the one that was shown."""
    return assignments_held(project=project, annotator=annotator).first()


def assignments_held(*, project: Project, annotator: User) -> QuerySet[Assignment]:
    """Return what the annotator holds of the queue under a running lease: the one in hand, then the prefetched one.

    The turns of a live conversation are no part of the queue; each stays with the person who wrote it.
    """
    held = _of_queue(project, annotator).filter(lease_expires_at__gt=timezone.now())
    return held.select_related("task__project", "protocol")


def _of_queue(project: Project, annotator: User) -> QuerySet[Assignment]:
    held = Assignment.objects.filter(task__project=project, annotator=annotator, state=AssignmentState.HELD)
    return held.exclude(task__purpose=TaskPurpose.LIVE).order_by(F("shown_at").asc(nulls_last=True), "pk")


@dataclasses.dataclass(frozen=True)
class Leases:
    """Ids of what somebody holds of a queue, by whether the time has run out; the one in hand comes first."""

    running: list[int]
    run_out: list[int]


_HELD = Rows(
    """
    SELECT {assignment}
    FROM feedback_assignment AS assignment JOIN feedback_task AS task ON task.id = assignment.task_id
    WHERE assignment.annotator_id = %s AND assignment.state = %s AND task.project_id = %s AND task.purpose <> %s
    ORDER BY assignment.shown_at IS NULL, assignment.shown_at, assignment.id
    """,
    assignment=Assignment,
)


def leases_held(*, project: Project, annotator: User) -> Leases:
    """Return what the annotator holds of the queue, read again from the database."""
    now = timezone.now()
    rows = _HELD.read(annotator.pk, AssignmentState.HELD.value, project.pk, TaskPurpose.LIVE.value)
    held = [(one.pk, one.lease_expires_at > now) for (one,) in rows]
    return Leases([pk for pk, runs in held if runs], [pk for pk, runs in held if not runs])


def assignment_get(*, assignment_id: int) -> Assignment | None:
    """Return any assignment with its task, project and annotator; who may see it is the caller's question."""
    return Assignment.objects.select_related("task__project", "annotator", "protocol").filter(pk=assignment_id).first()


_OWN = Rows(
    """
    SELECT {assignment}, {task}, {project}, {protocol}
    FROM feedback_assignment AS assignment
    JOIN feedback_task AS task ON task.id = assignment.task_id
    JOIN feedback_project AS project ON project.id = task.project_id
    JOIN feedback_membership AS membership ON membership.project_id = project.id
    LEFT JOIN feedback_protocol AS protocol ON protocol.id = assignment.protocol_id
    WHERE assignment.id = %s AND assignment.annotator_id = %s
        AND membership.user_id = %s AND membership.role = %s AND membership.is_active
    """,
    assignment=Assignment,
    task=Task,
    project=Project,
    protocol=Protocol,
)


def assignment_own(*, assignment_id: int, annotator: User) -> Assignment | None:
    """Return an assignment of this person, if they are an annotator of its project today."""
    for assignment, task, project, protocol in _OWN.read(
        assignment_id, annotator.pk, annotator.pk, Role.ANNOTATOR.value
    ):
        task.project = project
        assignment.task, assignment.protocol, assignment.annotator = task, protocol, annotator
        found: Assignment = assignment
        return found
    return None


def assignment_view(*, assignment: Assignment) -> AssignmentView:
    """Return what may be shown of an assignment, its answers in the assignment's own blind order."""
    task = assignment.task
    texts = answer_texts(assignment=assignment)
    protocol = assignment.protocol or protocol_for(project=task.project, n_answers=len(assignment.order))
    options = ProtocolOptions.from_json(protocol.options)
    return AssignmentView(
        assignment_id=assignment.pk,
        protocol=protocol.number,
        kind=ProtocolKind(protocol.kind),
        options=dataclasses.replace(options, masked_names=(), live_sources=()),
        guidelines=protocol.guidelines,
        messages=[_masked(message, options) for message in task.prompt.messages],
        warnings=[options.warnings[tag] for tag in task.prompt.tags if tag in options.warnings],
        answers=[
            AnswerView(LETTERS[shown], names_masked(texts[item], options.masked_names))
            for shown, item in enumerate(assignment.order)
        ],
        lease_expires_at=assignment.lease_expires_at,
        client_key=f"{assignment.pk}-{secrets.token_urlsafe(9)}",
    )


def _masked(message: Message, options: ProtocolOptions) -> Message:
    """Mask names in earlier answers, which may come from the policy that answers now; what people wrote stays."""
    if message["role"] != "assistant":
        return message
    return {"role": "assistant", "content": names_masked(message["content"], options.masked_names)}


def answer_texts(*, assignment: Assignment) -> dict[int, str]:
    """Return the text of each item of the assignment's task, as it was sampled."""
    return task_texts(task_id=assignment.task_id)
