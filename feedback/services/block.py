"""Blocks: tasks of the queue that wait for one person."""

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid
from feedback.domain.states import BatchState, TaskPurpose
from feedback.models import Batch, Membership, Project, Task, User
from feedback.selectors.prompt_search import with_words
from feedback.services.transition import transition_log

MAX_TASKS = 1_000
"""In one go: some days' work of one person."""


def block_give(*, membership: Membership, batch: Batch, n: int, by: User, tag: str = "") -> int:
    """Let the next tasks of an open batch that nobody has touched wait for one person; return how many were found.

    With a tag only those whose prompt has it. Raises: Invalid.
    """
    if not 1 <= n <= MAX_TASKS:
        raise Invalid(_("A block has from 1 to %(max)s tasks.") % {"max": f"{MAX_TASKS:,}"})
    if batch.state != BatchState.OPEN or batch.project_id != membership.project_id:
        raise Invalid(_("%(batch)s is not open; choose another one.") % {"batch": batch})
    untouched = Task.objects.filter(
        batch=batch, purpose=TaskPurpose.LABEL, reserved_for=None, open_slots__gt=0, open_slots=F("overlap")
    )
    chosen = with_words(untouched.filter(assignments=None), "prompt__", words="", tag=tag).order_by("-priority", "id")
    with transaction.atomic():
        ids = list(chosen.values_list("pk", flat=True)[:n])
        # Again on the row itself: somebody may have claimed it meanwhile.
        given = untouched.filter(pk__in=ids).update(reserved_for=membership.user_id)
        if given:
            _log(membership, by, f"block of {given} given", f"batch {batch.number}{f', tag {tag}' if tag else ''}")
    return given


def block_dissolve(*, project: Project, user: User, by: User | None, batch: Batch | None = None) -> int:
    """Give what waits for a person back to everybody; return how many tasks."""
    tasks = Task.objects.filter(project=project, reserved_for=user, purpose=TaskPurpose.LABEL)
    if batch is not None:
        tasks = tasks.filter(batch=batch)
    with transaction.atomic():
        n = tasks.update(reserved_for=None)
        membership = Membership.objects.filter(project=project, user=user).order_by("pk").first()
        if n and membership is not None:
            _log(membership, by, f"block of {n} dissolved", f"batch {batch.number}" if batch else "")
    return n


def _log(membership: Membership, by: User | None, to: str, reason: str) -> None:
    transition_log(obj=membership, from_state="", to_state=to, actor=by, reason=reason)
