"""One change to all tasks that a search finds: asked for by an admin, done by a worker in chunks, exactly once each."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.domain.task_filter import TaskActionKind, TaskFilter
from feedback.models import Project, TaskAction, User
from feedback.selectors.task_search import task_newest_id, task_search
from feedback.services.hold import project_hold
from feedback.services.task import check_priority, check_reason, task_overlap_raise, task_prioritise, task_requeue

CHUNK = 500
"""Tasks a transaction: annotators who want one of them wait for some tens of milliseconds."""


def task_action_ask(
    *, project: Project, kind: TaskActionKind, asked: TaskFilter, priority: int | None, by: User, reason: str
) -> TaskAction:
    """Do something to every task that the search finds now, in the background; one at a time a project.

    Raises: Invalid, Conflict while another one is under way.
    """
    reason = check_reason(reason)
    if kind == TaskActionKind.PRIORITISE:
        check_priority(priority)
    with transaction.atomic():
        project_hold(project=project)
        if TaskAction.objects.filter(project=project, finished_at=None).exists():
            raise Conflict(_("Another change of many tasks is under way; wait until it is done."))
        action = TaskAction.objects.create(
            project=project, kind=kind, filter=asked.to_json(), reason=reason, asked_by=by,
            priority=priority if kind == TaskActionKind.PRIORITISE else None,
            below=task_newest_id(project=project) + 1,
        )  # fmt: skip
        dispatch("feedback.task_action", action_id=action.pk)
    return action


def task_action_stop(*, project: Project) -> bool:
    """End what is under way after the chunk that is being done; what was changed stays. Tell if there was any."""
    return bool(TaskAction.objects.filter(project=project, finished_at=None).update(finished_at=timezone.now()))


def task_actions_go_on() -> None:
    """Go on with whatever is not finished; the periodic job that replaces a worker that died."""
    for pk in TaskAction.objects.filter(finished_at=None).order_by("pk").values_list("pk", flat=True):
        task_action_run(action_id=pk)


def task_action_run(*, action_id: int) -> None:
    """Work on it until it is done, or until another worker turns out to be working on it too."""
    action = TaskAction.objects.select_related("project", "asked_by").get(pk=action_id)
    while action.finished_at is None and _chunk(action):
        action.refresh_from_db(fields=["below", "finished_at"])


def _chunk(action: TaskAction) -> bool:
    """Do the next chunk; return False when another worker was first, and then nothing is done twice."""
    asked = TaskFilter.from_json(action.filter)
    found = task_search(project=action.project, asked=asked, below=action.below, limit=CHUNK, look_s=float("inf"))
    ids = [task.pk for task in found.rows]
    n_changed = 0
    if action.kind == TaskActionKind.REQUEUE:
        # Before the transaction: leases end one by one, and ending them twice changes nothing.
        n_changed = task_requeue(task_ids=ids, by=action.asked_by, reason=action.reason)
    with transaction.atomic():
        rows = TaskAction.objects.filter(pk=action.pk, below=action.below, finished_at=None)
        moved = rows.update(
            below=found.below or 0,
            finished_at=timezone.now() if found.below is None else None,
            n_found=F("n_found") + len(ids),
            n_changed=F("n_changed") + n_changed,
        )
        if not moved:
            return False
        n_more = _do(action, ids)
        TaskAction.objects.filter(pk=action.pk).update(n_changed=F("n_changed") + n_more)
    return True


def _do(action: TaskAction, ids: list[int]) -> int:
    if action.kind == TaskActionKind.PRIORITISE:
        assert action.priority is not None, "checked when it was asked for"
        return task_prioritise(task_ids=ids, priority=action.priority, by=action.asked_by, reason=action.reason)
    if action.kind == TaskActionKind.RAISE:
        return task_overlap_raise(task_ids=ids, by=action.asked_by, reason=action.reason)
    return 0
