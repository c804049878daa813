"""What somebody gets instead of the next task of the queue: training, qualification, a hidden gold task, a repeat."""

import random

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from feedback.domain.states import BatchState, Standing, TaskPurpose
from feedback.models import Judgment, Membership, Task, TaskItem
from feedback.selectors.gold import gold_unjudged
from feedback.selectors.learning import lesson_list, qualification_result
from feedback.services.standing import standing_check
from feedback.services.transition import transition_log

APART = 10
"""Judgments between a task and its repeat: with fewer people remember what they said."""
WINDOW = 200
"""Judgments among which the task to repeat is drawn: some hours of work. The query does not grow with the past."""


def task_drawn(*, membership: Membership) -> Task | None:
    """Return the task to hand out now instead of one from the queue, or None; the same for the same `n_claims`.

    A repeat is made here. The caller takes a slot of it, as of any task, and raises `n_claims` when it succeeds; when
    it does not, it calls `drawn_forget`. Raises: Halted, when a learner turns out not to be qualified.
    """
    if membership.standing == Standing.LEARNING:
        return _lesson(membership)
    project = membership.project
    if not project.gold_share and not project.repeat_share:
        return None
    draw = random.Random(f"{membership.pk}:{membership.n_claims}")  # noqa: S311 - a sample, not a secret
    share = draw.random()
    if share < project.gold_share:
        return _gold(membership, draw)
    if share < project.gold_share + project.repeat_share:
        return _repeat(membership, draw)
    return None


def drawn_forget(*, task: Task) -> None:
    """Remove a repeat that was drawn and then not handed out; other tasks stay."""
    if task.purpose == TaskPurpose.REPEAT:
        Task.objects.filter(pk=task.pk, assignments=None).delete()


def qualification_review(*, membership: Membership) -> None:
    """Let a learner work, or not, once every lesson is done; called after each judgment of a learner.

    A skipped lesson is done, but not right. Somebody who is not learning stays what they are.
    """
    if membership.standing != Standing.LEARNING:
        return
    if not all(lesson.is_done for lesson in lesson_list(membership=membership)):
        return
    n_right, n_tasks = qualification_result(membership=membership)
    needed = membership.project.qualification_pass
    result = f"{n_right} of {n_tasks} qualification tasks right"
    if not n_tasks or n_right / n_tasks >= needed:
        _move(membership, Standing.WORKING, shown="", reason=result)
        return
    n_needed = next(n for n in range(n_tasks + 1) if n / n_tasks >= needed)
    shown = _(
        "You got %(n_right)d of %(n_tasks)d qualification tasks right; %(n_needed)d were needed. Ask the project's "
        "admin what comes next."
    ) % {"n_right": n_right, "n_tasks": n_tasks, "n_needed": n_needed}
    _move(membership, Standing.UNQUALIFIED, shown=shown, reason=f"{result}, {n_needed} needed")


def _move(membership: Membership, to: Standing, *, shown: str, reason: str) -> None:
    rows = Membership.objects.filter(pk=membership.pk, standing=Standing.LEARNING)
    with transaction.atomic():
        if rows.update(standing=to, standing_reason=shown):
            transition_log(obj=membership, from_state=Standing.LEARNING, to_state=to, reason=reason)
    membership.refresh_from_db(fields=["standing", "standing_reason"])  # a twin of this request may have been first


def _lesson(membership: Membership) -> Task | None:
    lessons = lesson_list(membership=membership)
    for lesson in lessons:
        if not lesson.is_done and not lesson.is_held:
            return lesson.task
    if not any(lesson.is_held for lesson in lessons):
        # The last one was skipped, or retired: nobody has looked since.
        qualification_review(membership=membership)
        standing_check(membership=membership)
    return None


def _gold(membership: Membership, draw: random.Random) -> Task | None:
    unjudged = gold_unjudged(membership=membership)
    return Task.objects.get(pk=draw.choice(unjudged)) if unjudged else None


def _repeat(membership: Membership, draw: random.Random) -> Task | None:
    return _repeat_waiting(membership) or _repeat_add(membership, draw)


def _repeat_waiting(membership: Membership) -> Task | None:
    """Return a repeat that this person let expire."""
    return Task.objects.filter(
        reserved_for=membership.user_id,
        project=membership.project_id,
        purpose=TaskPurpose.REPEAT,
        open_slots__gt=0,
        batch__state=BatchState.OPEN,
    ).first()


def _repeat_add(membership: Membership, draw: random.Random) -> Task | None:
    unwanted = set(membership.opted_out_tags)
    tasks = [task for task in _repeatable(membership) if not unwanted & set(task.prompt.tags)]
    if not tasks:
        return None
    original = draw.choice(tasks)
    try:
        with transaction.atomic():
            repeat = Task.objects.create(
                project_id=original.project_id,
                batch_id=original.batch_id,
                prompt_id=original.prompt_id,
                purpose=TaskPurpose.REPEAT,
                repeat_of=original,
                reserved_for_id=membership.user_id,
                overlap=1,
                open_slots=1,
            )
            TaskItem.objects.bulk_create(
                TaskItem(task=repeat, response_id=response_id, item=item)
                for response_id, item in original.items.values_list("response_id", "item")
            )
    except IntegrityError:
        return None  # a second device of the same person was first
    return repeat


def _repeatable(membership: Membership) -> list[Task]:
    """Return tasks of open batches that this person ordered long enough ago and has not had again."""
    own = Judgment.objects.filter(annotator=membership.user_id, task__project=membership.project_id, supersedes=None)
    window = own.order_by("-pk").values_list("task", flat=True)[APART : APART + WINDOW]
    again = Task.objects.filter(repeat_of=OuterRef("pk"), reserved_for=membership.user_id)
    ordered = Judgment.objects.filter(task=OuterRef("pk"), annotator=membership.user_id, superseded_by=None).exclude(
        n_pairs=0, n_ties=0
    )
    tasks = Task.objects.filter(pk__in=list(window), purpose=TaskPurpose.LABEL, batch__state=BatchState.OPEN)
    return list(tasks.filter(Exists(ordered)).exclude(Exists(again)).select_related("prompt").order_by("pk"))
