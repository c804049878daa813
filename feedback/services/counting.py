"""Taking judgments out of the count and putting them back: a person's word on a task as a whole, with its slot.

For every task: overlap = open slots + live leases + counted judgments + judgments that are held back.
"""

from typing import Any

from django.db.models import F

from feedback.domain.states import EXPORTED, BatchState, TaskPurpose
from feedback.models import Batch, Judgment, Task
from feedback.services.assignment import slot_give, slot_take


def task_hold(*, task: Task) -> bool:
    """Hold a task's row, then its batch's, until the caller's transaction ends; return whether the batch is open.

    Meanwhile nobody claims the task, and nobody corrects a judgment of the batch.
    """
    assert task.batch_id is not None, "a task with a known answer always counts"
    Task.objects.filter(pk=task.pk).update(overlap=F("overlap"))
    return bool(Batch.objects.filter(pk=task.batch_id, state=BatchState.OPEN).update(state=BatchState.OPEN))


def judgment_discount(*, judgment: Judgment, **marks: Any) -> bool:
    """Let a person's judgments of a task count no more, and free their slot; False when they do not count anyway.

    Under `task_hold`.
    """
    if not Judgment.objects.filter(assignment=judgment.assignment_id, counted=True).update(counted=False, **marks):
        return False
    slot_free(task=judgment.task)
    return True


def judgment_recount(*, judgment: Judgment, **marks: Any) -> bool:
    """Let a person's judgments of a task count again if a slot is free for them; the marks are set in any case.

    Under `task_hold`.
    """
    rows = Judgment.objects.filter(assignment=judgment.assignment_id)
    counts = not rows.filter(counted=True).exists() and _slot_refill(judgment.task)
    rows.update(**({"counted": True} if counts else {}), **marks)
    return counts


def slot_free(*, task: Task) -> None:
    """Give the slot of a judgment that does not count to others.

    Nobody else gets a live turn or a repeat: of these one judgment less is wanted.
    """
    if task.purpose == TaskPurpose.LABEL:
        slot_give(task_id=task.pk)
    else:
        _want(task, -1)


def _slot_refill(task: Task) -> bool:
    if task.purpose == TaskPurpose.LABEL:
        return slot_take(task_id=task.pk)
    _want(task, 1)
    return True


def _want(task: Task, n: int) -> None:
    Task.objects.filter(pk=task.pk).update(overlap=F("overlap") + n)
    if task.batch_id is not None and task.purpose in EXPORTED:
        Batch.objects.filter(pk=task.batch_id).update(n_wanted=F("n_wanted") + n)
