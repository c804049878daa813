"""What an admin does to tasks of the queue: take them back, change their order, ask for more judgments.

For every task: overlap = open slots + live leases + counted judgments, at every moment. Only ordinary tasks are
changed; those with a known answer, repeats and live turns are handed out by rules of their own.
"""

from collections import Counter
from collections.abc import Collection

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid
from feedback.domain.messages import check_text
from feedback.domain.states import BatchState, TaskPurpose
from feedback.models import Batch, Task, Transition, User
from feedback.services.assignment import assignments_requeue

MAX_REASON_LENGTH = 500
MAX_PRIORITY = 1_000
"""Either way: far more steps than anybody keeps apart."""
MAX_OVERLAP = 100
"""As the project's settings have it."""


def task_requeue(*, task_ids: Collection[int], by: User, reason: str) -> int:
    """End the live leases of these tasks and give their slots back; return how many tasks were in somebody's hands.

    Each lease ends in a transaction of its own, the assignment's row first, as a submit takes them. Whoever held the
    task may still submit it while a slot is free. Raises: Invalid.
    """
    reason = check_reason(reason)
    tasks = Task.objects.filter(pk__in=task_ids, purpose=TaskPurpose.LABEL).order_by("pk")
    taken_back = [task for task in tasks if assignments_requeue(task_id=task.pk, by=by, reason=reason)]
    _log(taken_back, ["taken back"] * len(taken_back), by=by, reason=reason)
    return len(taken_back)


def task_prioritise(*, task_ids: Collection[int], priority: int, by: User, reason: str) -> int:
    """Give these tasks a priority within their batches; return how many had another one. Raises: Invalid."""
    reason = check_reason(reason)
    check_priority(priority)
    with transaction.atomic():
        changing = [task for task in _held(task_ids) if task.priority != priority]
        Task.objects.filter(pk__in=[task.pk for task in changing]).update(priority=priority)
        said = [f"priority {task.priority} to {priority}" for task in changing]
        _log(changing, said, by=by, reason=reason)
    return len(changing)


def task_overlap_raise(*, task_ids: Collection[int], by: User, reason: str) -> int:
    """Ask for one more judgment of each of these tasks in open batches; return of how many.

    A task of which a hundred judgments are asked stays as it is. Raises: Invalid.
    """
    reason = check_reason(reason)
    with transaction.atomic():
        tasks = [task for task in _held(task_ids) if task.overlap < MAX_OVERLAP and task.batch_id is not None]
        wanted = Counter(task.batch_id for task in tasks)
        # A batch that closes meanwhile wants nothing more: its row is asked and changed at once.
        open_batches = {
            batch_id
            for batch_id in sorted(batch_id for batch_id in wanted if batch_id is not None)
            if Batch.objects.filter(pk=batch_id, state=BatchState.OPEN).update(
                n_wanted=F("n_wanted") + wanted[batch_id]
            )
        }
        raised = [task for task in tasks if task.batch_id in open_batches]
        Task.objects.filter(pk__in=[task.pk for task in raised]).update(
            overlap=F("overlap") + 1, open_slots=F("open_slots") + 1
        )
        said = [f"overlap {task.overlap} to {task.overlap + 1}" for task in raised]
        _log(raised, said, by=by, reason=reason)
    return len(raised)


def check_reason(reason: str) -> str:
    """Return why something is done, for the audit. Raises: Invalid."""
    return check_text(reason, _("The reason"), max_length=MAX_REASON_LENGTH).strip()


def check_priority(priority: int | None) -> int:
    """Return a priority that a task can have. Raises: Invalid."""
    if priority is None or not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise Invalid(
            _("A priority is a whole number from %(low)d to %(high)d.") % {"low": -MAX_PRIORITY, "high": MAX_PRIORITY}
        )
    return priority


def _held(task_ids: Collection[int]) -> list[Task]:
    # In one order, so that two admins never wait for each other in a circle; no lock on keys, which judgments take.
    rows = Task.objects.select_for_update(no_key=True).filter(pk__in=task_ids, purpose=TaskPurpose.LABEL)
    return list(rows.order_by("pk"))


def _log(tasks: list[Task], said: list[str], *, by: User, reason: str) -> None:
    Transition.objects.bulk_create(
        Transition(
            object_type=task._meta.label_lower,  # noqa: SLF001 - Django's public name for it
            object_id=task.pk,
            to_state=to_state,
            actor=by,
            reason=reason,
        )
        for task, to_state in zip(tasks, said, strict=True)
    )
