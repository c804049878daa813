"""Where a newcomer stands: training and qualification tasks done and left, and what one of them taught."""

import dataclasses

from django.db.models import Exists, OuterRef

from feedback.domain.gold import Mark
from feedback.domain.messages import Message
from feedback.domain.ranking import Rank
from feedback.domain.states import LEARNED_FROM, AssignmentState, Role, Standing, TaskPurpose
from feedback.models import Assignment, Judgment, Membership, Project, Task, User
from feedback.selectors.assignment import assignment_view
from feedback.selectors.gold import judgment_mark


@dataclasses.dataclass(frozen=True)
class Lesson:
    """A training or qualification task in use, for one person."""

    task: Task
    is_done: bool
    """Judged, or skipped."""
    is_held: bool


@dataclasses.dataclass(frozen=True)
class Learning:
    """How far a newcomer has come with the tasks of one purpose."""

    purpose: TaskPurpose
    n_done: int
    n_tasks: int

    @property
    def number(self) -> int:
        """Of the task in hand, or of the next one, from 1."""
        return min(self.n_done + 1, self.n_tasks)


@dataclasses.dataclass(frozen=True)
class ExplainedAnswer:
    letter: str
    text: str
    known: Rank
    given: Rank


@dataclasses.dataclass(frozen=True)
class Explained:
    """A training task after it was judged: the known order beside the person's own."""

    mark: Mark
    explanation: str
    """Markdown."""
    messages: list[Message]
    answers: list[ExplainedAnswer]
    """The best one first; those without a known rank last."""


def lesson_list(*, membership: Membership) -> list[Lesson]:
    """Return the lessons of a project in the order in which a newcomer gets them, without what they opted out of."""
    own = Assignment.objects.filter(task=OuterRef("pk"), annotator=membership.user_id)
    tasks = (
        Task.objects.filter(project=membership.project_id, purpose__in=LEARNED_FROM, gold__retired_at=None)
        .annotate(
            is_done=Exists(own.filter(state__in=(AssignmentState.SUBMITTED, AssignmentState.RELEASED))),
            is_held=Exists(own.filter(state=AssignmentState.HELD)),
        )
        .select_related("prompt", "gold")
    )
    unwanted = set(membership.opted_out_tags)
    wanted = [task for task in tasks if not unwanted & set(task.prompt.tags)]
    wanted.sort(key=lambda task: (LEARNED_FROM.index(TaskPurpose(task.purpose)), task.pk))
    return [Lesson(task, task.is_done, task.is_held) for task in wanted]


def learning_of(*, project: Project, annotator: User) -> Learning | None:
    """Return how far somebody is who is learning in the project; None for all others."""
    membership = Membership.objects.filter(
        project=project, user=annotator, role=Role.ANNOTATOR, is_active=True, standing=Standing.LEARNING
    ).first()
    if membership is None:
        return None
    lessons = lesson_list(membership=membership)
    counts = [_count(lessons, purpose) for purpose in LEARNED_FROM]
    unfinished = [learning for learning in counts if learning.n_done < learning.n_tasks]
    return unfinished[0] if unfinished else counts[-1]


def qualification_result(*, membership: Membership) -> tuple[int, int]:
    """Return (right, all) of the qualification tasks in use; a skipped one is not right."""
    tasks = {
        lesson.task.pk: lesson.task
        for lesson in lesson_list(membership=membership)
        if lesson.task.purpose == TaskPurpose.QUALIFICATION
    }
    judgments = Judgment.objects.filter(task__in=tasks, annotator=membership.user_id, superseded_by=None)
    marks = [judgment_mark(judgment=judgment, gold=tasks[judgment.task_id].gold) for judgment in judgments]
    return sum(mark.is_right for mark in marks), len(tasks)


def explained_of(*, assignment: Assignment) -> Explained | None:
    """Return what a judged training task taught; None before it is judged, and for tasks that explain nothing."""
    if assignment.task.purpose != TaskPurpose.TRAINING:
        return None
    judgment = assignment.judgments.order_by("-pk").first()
    if judgment is None:
        return None
    gold, view = assignment.task.gold, assignment_view(assignment=assignment)
    answers = [
        ExplainedAnswer(answer.letter, answer.text, gold.ranks[item], judgment.ranks[item])
        for answer, item in zip(view.answers, assignment.order, strict=True)
    ]
    answers.sort(key=lambda answer: (answer.known is None, answer.known or 0, answer.letter))
    return Explained(judgment_mark(judgment=judgment, gold=gold), gold.explanation, view.messages, answers)


def _count(lessons: list[Lesson], purpose: TaskPurpose) -> Learning:
    of_purpose = [lesson for lesson in lessons if lesson.task.purpose == purpose]
    return Learning(purpose, sum(lesson.is_done for lesson in of_purpose), len(of_purpose))
