"""Who holds which task: claiming, showing, giving back, and taking back what was forgotten.

A slot is taken and given by one conditional UPDATE, the same on both databases; candidates are only a guess about where
to try. Rows are taken in one order (membership, task, assignment; the expiry, which only frees, the other way round
for a held assignment that nobody else can be taking), so that transactions wait for each other but never in a circle.
"""

import datetime as dt
import random
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from feedback.domain.errors import LeaseLost, NotAllowed
from feedback.domain.messages import check_text
from feedback.domain.protocol import SkipReason
from feedback.domain.states import AssignmentState, Role, Standing, TaskPurpose
from feedback.domain.working_time import check_active_s
from feedback.models import Assignment, Draft, Membership, Project, Task, User
from feedback.selectors.assignment import assignment_get, assignments_held, leases_held
from feedback.selectors.project import annotator_membership, protocol_for
from feedback.selectors.task import place_of, task_candidates, task_texts, task_to_show, tasks_reserved
from feedback.services.drawing import drawn_forget, task_drawn
from feedback.services.rows import row_add, rows_change
from feedback.services.standing import standing_check
from feedback.services.transition import transition, transition_log

PREFETCH_LEASE_S = 120
"""How long a task waits to be shown: a page that was opened in advance, not a coffee break."""
MAX_NOTE_LENGTH = 500
"""Why a task was skipped, in a sentence or two; what is longer is a report."""
CANDIDATES = 16
"""Tasks tried before looking again: so many people at once rarely wait for one another's task."""
LOOKS = 20
"""Looks for candidates before giving up: every look that fails means 16 tasks went to others in some milliseconds."""
FRONT_EVERY_S = 60
"""How long looks begin where the last one ended: so late comes what was freed, or made urgent, before that place."""
EXPIRE_AT_ONCE = 1_000
"""Leases ended in one call; the rest waits for the next one, so that a request never pays for a whole night."""


def assignment_claim(*, project: Project, annotator: User, show: bool = False) -> Assignment | None:
    """Return the annotator's live assignment, or else a new one, or None when nothing is left for this person to do.

    With `show` the time of a new one starts at once, as `assignment_show` starts it.

    Raises: NotAllowed when the person is no annotator of the project, Halted when they get no task now.
    """
    return membership_claim(membership=_membership(project, annotator), show=show)


def membership_claim(*, membership: Membership, show: bool = False) -> Assignment | None:
    """Do as `assignment_claim` does, for an active annotator's membership that the caller has just read."""
    return _next(membership, n_before=0, show=show)


def assignment_prefetch(*, project: Project, annotator: User) -> Assignment | None:
    """Return the task that comes after the one in hand, held for two minutes and not yet shown; the same when held.

    Its protocol is fixed here, since the page may be made from it before it is shown. None when nothing is in hand or
    nothing is left. Raises: NotAllowed, Halted.
    """
    membership = _membership(project, annotator)
    if not assignments_held(project=project, annotator=annotator).exists():
        return None
    found = _next(membership, n_before=1)
    if found is not None and found.protocol is None:
        found.protocol = protocol_for(project=project, n_answers=len(found.order))
        Assignment.objects.filter(pk=found.pk, protocol=None).update(protocol=found.protocol)
    return found


def assignment_show(*, assignment: Assignment) -> Assignment:
    """Start the annotator's time, once: the full lease begins when it is first shown.

    It is judged under today's guidelines, or under those of the page that was made of it in advance.
    """
    if assignment.shown_at is not None:
        return assignment
    project = assignment.task.project
    protocol_id = assignment.protocol_id or protocol_for(project=project, n_answers=len(assignment.order)).pk
    now = timezone.now()
    shown = Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.HELD, shown_at=None).update(
        shown_at=now,
        lease_expires_at=now + dt.timedelta(seconds=project.lease_s),
        protocol=protocol_id,
    )
    if shown:
        assignment.refresh_from_db(fields=["shown_at", "lease_expires_at", "protocol"])
    return assignment


def assignment_release(
    *,
    assignment: Assignment,
    annotator: User,
    reason: SkipReason,
    note: str = "",
    active_s: float | None = None,
) -> None:
    """Skip: give the task to somebody else; this annotator does not get it again. Their time on it is kept.

    Raises: NotAllowed, LeaseLost, Invalid for a note that is too long or seconds that cannot be.
    """
    if assignment.annotator_id != annotator.pk:
        raise NotAllowed(_("This task is with another annotator."))
    if assignment.state != AssignmentState.HELD:
        raise LeaseLost(_("You do not hold this task any more; go on with the next one."))
    check_text(note, _("The note"), max_length=MAX_NOTE_LENGTH, empty=True)
    why = f"{reason.value}: {note.strip()}" if note.strip() else reason.value
    spent: dict[str, Any] = {"released_at": timezone.now(), "active_s": check_active_s(active_s)}
    with transaction.atomic():
        transition(obj=assignment, to=AssignmentState.RELEASED, actor=annotator, reason=why, **spent)
        Draft.objects.filter(assignment=assignment).delete()
        # Skipped by the person whom it waited for: now it is everybody's.
        Task.objects.filter(pk=assignment.task_id, purpose=TaskPurpose.LABEL, reserved_for=annotator).update(
            reserved_for=None
        )
        slot_give(task_id=assignment.task_id)


def assignments_expire(
    *, project: Project | None = None, annotator: User | None = None, now: dt.datetime | None = None
) -> int:
    """End the leases that ran out and give their slots back; return how many."""
    stale = Assignment.objects.filter(state=AssignmentState.HELD, lease_expires_at__lte=now or timezone.now())
    if project is not None:
        stale = stale.filter(task__project=project)
    if annotator is not None:
        stale = stale.filter(annotator=annotator)
    return _end_leases(stale.order_by("lease_expires_at")[:EXPIRE_AT_ONCE], reason=gettext_noop("the lease ran out"))


def assignments_take_back(
    *, project: Project, annotator: User, by: User | None, reason: str = "no longer an annotator", unshown: bool = False
) -> int:
    """End all of a person's leases in a project now, or only those of tasks not shown yet; return how many."""
    held = Assignment.objects.filter(task__project=project, annotator=annotator, state=AssignmentState.HELD)
    return _end_leases(held.filter(shown_at=None) if unshown else held, reason=reason, by=by)


def assignments_requeue(*, task_id: int, by: User | None, reason: str) -> int:
    """End all leases of a task now; return how many."""
    held = Assignment.objects.filter(task=task_id, state=AssignmentState.HELD)
    return _end_leases(held, reason=reason, by=by)


def _end_leases(assignments: Iterable[Assignment], *, reason: str, by: User | None = None) -> int:
    # One by one: each update says whether this lease was still held, which no bulk update reports on both databases.
    n_ended = 0
    for assignment in assignments:
        with transaction.atomic():
            held = Assignment.objects.filter(
                pk=assignment.pk, state=AssignmentState.HELD, lease_expires_at=assignment.lease_expires_at
            )
            if not held.update(state=AssignmentState.EXPIRED):
                continue
            slot_give(task_id=assignment.task_id)
            transition_log(
                obj=assignment,
                from_state=AssignmentState.HELD,
                to_state=AssignmentState.EXPIRED,
                actor=by,
                reason=reason,
            )
            n_ended += 1
    return n_ended


def slot_take(*, task_id: int) -> bool:
    """Take a slot of a task if one is free. No join in the condition: it must be judged again on the locked row."""
    return bool(rows_change(_SLOT_TAKE, task_id))


_SLOT_TAKE = "UPDATE feedback_task SET open_slots = open_slots - 1 WHERE id = %s AND open_slots > 0"


def slot_give(*, task_id: int) -> None:
    """Give a slot of a task back."""
    Task.objects.filter(pk=task_id).update(open_slots=F("open_slots") + 1)


def _next(membership: Membership, *, n_before: int, show: bool = False) -> Assignment | None:
    """Return a further assignment for somebody who may hold `n_before` others, or the one that they hold already."""
    project, annotator = membership.project, membership.user
    leases = leases_held(project=project, annotator=annotator)
    if len(leases.running) > n_before:
        return assignment_get(assignment_id=leases.running[n_before])
    if leases.run_out:
        assignments_expire(project=project, annotator=annotator)
    standing_check(membership=membership)
    drawn = task_drawn(membership=membership)
    if drawn is not None:
        found = _take(membership, drawn.pk, n_before=n_before, show=show)
        if found is None or found.task_id != drawn.pk:
            drawn_forget(task=drawn)
        if found is not None:
            return found
    if membership.standing == Standing.LEARNING:
        return None
    found = _claim(membership, n_before=n_before, show=show)
    if found is None and assignments_expire(project=project):
        found = _claim(membership, n_before=n_before, show=show)
    return found


def _claim(membership: Membership, *, n_before: int, show: bool) -> Assignment | None:
    spread = random.Random(f"{membership.pk}:{membership.n_claims}")  # noqa: S311 - a spread, not a secret
    for _look in range(LOOKS):
        tasks, position = _look_for(membership, spread)
        if not tasks:
            return None
        for task_id in tasks:
            found = _take(membership, task_id, n_before=n_before, show=show, position=position)
            if found is not None:
                return found
    return None


def _look_for(membership: Membership, spread: random.Random) -> tuple[list[int], dict[str, Any]]:
    """Return tasks to try, and the position to keep once one of them was taken.

    Tasks that wait for this person come first; whether there are any is asked at the front of the queue, and as long
    as there were some.
    """
    now = timezone.now().timestamp()
    kept = membership.queue_position or {}
    if not 0 <= now - kept.get("since", 0) < FRONT_EVERY_S:
        kept = {"after": None, "since": now, "block": True}
    if kept["block"]:
        block = tasks_reserved(membership=membership).values_list("pk", flat=True)[:CANDIDATES]
        if block:
            return list(block), kept
    passed, places = task_candidates(membership=membership, after=place_of(kept), limit=CANDIDATES)
    if not places and not (kept["block"] and kept["after"] is None):
        membership.queue_position = None  # nothing is left behind the place: once more, from the front
        return _look_for(membership, spread)
    # Concurrent annotators try the same few tasks in different orders; batches and priorities are kept.
    places.sort(key=lambda place: (place.number, -place.priority, spread.random()))
    return [place.task for place in places], {**kept, "after": passed, "block": False}


def _take(
    membership: Membership, task_id: int, *, n_before: int, show: bool, position: dict[str, Any] | None = None
) -> Assignment | None:
    kept = None if position is None else _POSITION.get_db_prep_save(position, connection)
    try:
        with transaction.atomic():
            # Holds the membership's row until the end: a second device of the same person waits here, and then finds
            # the counter raised. What this one holds was looked up after the counter was read, so that one of the two
            # sees the other.
            if not rows_change(_COUNT, kept, membership.pk, Role.ANNOTATOR.value, membership.n_claims):
                return _overtaken(membership, n_before)
            if slot_take(task_id=task_id):
                return _assign(membership, task_id, show=show)
            transaction.set_rollback(True)
            return None
    except IntegrityError:
        # The person has or had this very task: the slot went back with the rollback.
        return None


_COUNT = """
    UPDATE feedback_membership SET n_claims = n_claims + 1, queue_position = COALESCE(%s, queue_position)
    WHERE id = %s AND role = %s AND is_active AND n_claims = %s
"""
_POSITION = Membership._meta.get_field("queue_position")  # noqa: SLF001 - Django's public name for it


def _overtaken(membership: Membership, n_before: int) -> Assignment | None:
    """Return what another device of the same person got meanwhile, if it is still held."""
    project, annotator = membership.project, membership.user
    membership.n_claims = _membership(project, annotator).n_claims
    leases = leases_held(project=project, annotator=annotator)
    return assignment_get(assignment_id=leases.running[n_before]) if len(leases.running) > n_before else None


def _assign(membership: Membership, task_id: int, *, show: bool) -> Assignment:
    project, annotator = membership.project, membership.user
    task, again = task_to_show(task_id=task_id, annotator=annotator)
    task.project = project
    order = _blind_order(task, annotator)
    lease: dict[str, Any] = {"shown_at": None, "protocol": None, "lease_expires_at": _after(PREFETCH_LEASE_S)}
    if show:
        protocol = protocol_for(project=project, n_answers=len(order))
        lease = {"shown_at": timezone.now(), "protocol": protocol, "lease_expires_at": _after(project.lease_s)}
    if again is None:
        assignment = Assignment(task=task, annotator=annotator, order=order, **lease)
        row_add(assignment)
        before = ""
    else:
        assignment, before = _take_again(again, task, annotator, lease)
    transition_log(obj=assignment, from_state=before, to_state=AssignmentState.HELD, actor=annotator)
    return assignment


def _take_again(
    assignment: Assignment, task: Task, annotator: User, lease: dict[str, Any]
) -> tuple[Assignment, AssignmentState]:
    """Hold a task again that this person let expire. Raises: IntegrityError when they judged, skipped or hold it."""
    rows = Assignment.objects.filter(pk=assignment.pk, state=AssignmentState.EXPIRED)
    if not rows.update(state=AssignmentState.HELD, **lease):
        raise IntegrityError("the person has or had this very task")
    for name, value in {"state": AssignmentState.HELD, "task": task, "annotator": annotator, **lease}.items():
        setattr(assignment, name, value)
    return assignment, AssignmentState.EXPIRED


def _after(seconds: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=seconds)


def _blind_order(task: Task, annotator: User) -> list[int]:
    items = sorted(task_texts(task_id=task.pk))
    random.Random(f"{task.pk}:{annotator.pk}").shuffle(items)  # noqa: S311 - item numbers say nothing about sources
    return items


def _membership(project: Project, annotator: User) -> Membership:
    membership = annotator_membership(project_id=project.pk, annotator=annotator)
    if membership is None:
        raise _not_an_annotator(project)
    return membership


def _not_an_annotator(project: Project) -> NotAllowed:
    return NotAllowed(_("You are not an annotator of %(project)s; ask its admin to add you.") % {"project": project})
