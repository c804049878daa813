"""What an annotator may do in a project now. Every claim asks it; nothing else does."""

from django.db import transaction
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict, Halted
from feedback.domain.messages import check_text
from feedback.domain.states import LEGAL, IllegalTransition, Standing
from feedback.models import Membership, User
from feedback.selectors.annotator import annotator_halt
from feedback.services.transition import transition_log

MAX_REASON_LENGTH = 500
"""The person reads it instead of a task."""


def standing_check(*, membership: Membership) -> None:
    """Refuse a claim of somebody who may not get a task now. Raises: Halted, with the reason for the person."""
    halt = annotator_halt(membership=membership)
    if halt is not None:
        raise Halted(str(halt))


def standing_set(*, membership: Membership, to: Standing, by: User | None, reason: str = "") -> None:
    """Move an annotator to a standing and record it; the reason is shown to them while they get no tasks.

    What they hold and what they judged stays as it is: see `annotator.py` and `exclusion.py`.

    Raises: Invalid, IllegalTransition, Conflict when somebody else changed it meanwhile.
    """
    reason = check_text(reason, _("The reason"), max_length=MAX_REASON_LENGTH, empty=True).strip()
    before = Standing(membership.standing)
    if to not in LEGAL[before]:
        raise IllegalTransition(
            _("%(what)s cannot go from %(before)s to %(to)s.")
            % {"what": membership, "before": before.value, "to": to.value}
        )
    with transaction.atomic():
        if not Membership.objects.filter(pk=membership.pk, standing=before).update(standing=to, standing_reason=reason):
            raise Conflict(_("%(what)s has changed meanwhile; look again.") % {"what": membership})
        transition_log(obj=membership, from_state=before, to_state=to, actor=by, reason=reason)
    membership.standing, membership.standing_reason = to, reason
