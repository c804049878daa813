"""Excluding an annotator: their judgments in open batches count no more and their tasks go to others. And undoing it.

Task by task, each in a transaction of its own: whoever looks sees every task whole, a killed worker leaves none half
done, and what is left is always what `exclusion_rows` finds. Rows are taken in the order of claims (membership, task,
batch). Judgments of closed batches and snapshots stay as they are.
"""

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from feedback.dispatch import dispatch
from feedback.domain.messages import check_text
from feedback.domain.states import HoldState, Standing
from feedback.models import Hold, Judgment, Membership, User
from feedback.selectors.annotator import exclusion_rows, exclusions_unfinished
from feedback.services.assignment import assignments_take_back
from feedback.services.block import block_dissolve
from feedback.services.burst import hold_confirm
from feedback.services.counting import judgment_discount, judgment_recount, task_hold
from feedback.services.overlap import task_review
from feedback.services.standing import MAX_REASON_LENGTH, standing_set

AT_ONCE = 50
"""Tasks changed while the admin waits, a quarter of a second with fsync; a worker does the rest."""
CHUNK = 500


def annotator_exclude(*, membership: Membership, by: User, reason: str) -> None:
    """Take all that somebody judged in open batches out of the count, and what they hold away from them.

    Judgments that were held back are confirmed as not counting. Raises: Invalid, IllegalTransition, Conflict.
    """
    check_text(reason, _("The reason"), max_length=MAX_REASON_LENGTH)
    with transaction.atomic():
        standing_set(membership=membership, to=Standing.EXCLUDED, by=by, reason=reason)
        for hold in Hold.objects.filter(membership=membership, state=HoldState.REVIEWING):
            hold_confirm(hold=hold, by=by)
    block_dissolve(project=membership.project, user=membership.user, by=by)
    assignments_take_back(project=membership.project, annotator=membership.user, by=by, reason=gettext_noop("excluded"))
    _go_on(membership)


def annotator_restore(*, membership: Membership, to: Standing, by: User, reason: str = "") -> None:
    """Let somebody go on. If they were excluded, their judgments count again where a slot is still free.

    Raises: Invalid, IllegalTransition, Conflict.
    """
    was_excluded = membership.standing == Standing.EXCLUDED
    standing_set(membership=membership, to=to, by=by, reason=reason)
    if was_excluded:
        _go_on(membership)


def exclusion_apply(*, membership_id: int, at_most: int | None = None) -> bool:
    """Make a person's judgments count as their standing says; return whether all of it is done. May be repeated."""
    membership = Membership.objects.select_related("project", "user").get(pk=membership_id)
    rows = exclusion_rows(membership=membership).select_related("task__project").order_by("pk")
    position = n_done = 0
    while chunk := list(rows.filter(pk__gt=position)[:CHUNK]):
        for judgment in chunk:
            if n_done == at_most or not _apply(membership, judgment):
                return False
            position, n_done = judgment.pk, n_done + 1
    return True


def exclusions_apply() -> None:
    """Go on with what a lost message or a killed worker left."""
    for membership in exclusions_unfinished():
        exclusion_apply(membership_id=membership.pk)


def _go_on(membership: Membership) -> None:
    if not exclusion_apply(membership_id=membership.pk, at_most=AT_ONCE):
        dispatch("feedback.exclusion_apply", membership_id=membership.pk)


def _apply(membership: Membership, judgment: Judgment) -> bool:
    """False when the standing has changed meanwhile: whoever changed it does what is to be done now."""
    with transaction.atomic():
        rows = Membership.objects.filter(pk=membership.pk, standing=membership.standing)
        if not rows.update(n_claims=F("n_claims")):  # holds the row
            return False
        is_open = task_hold(task=judgment.task)
        if membership.standing != Standing.EXCLUDED:
            if judgment_recount(judgment=judgment, is_excluded=False):
                task_review(task=judgment.task)
        elif is_open:
            judgment_discount(judgment=judgment, is_excluded=True)
    return True
