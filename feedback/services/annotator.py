"""What an admin decides about an annotator: a pause, going on, a day's limit."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from feedback.domain.errors import Invalid
from feedback.domain.messages import check_text
from feedback.domain.states import Standing
from feedback.models import Membership, User
from feedback.services.assignment import assignments_take_back
from feedback.services.standing import MAX_REASON_LENGTH, standing_set
from feedback.services.transition import transition_log

MAX_CAP = 100_000
"""As the project's settings have it."""


def annotator_pause(*, membership: Membership, by: User, reason: str) -> None:
    """Give somebody no tasks for a while. What they were shown they may submit; what was only fetched goes to others.

    Raises: Invalid, IllegalTransition, Conflict.
    """
    check_text(reason, _("The reason"), max_length=MAX_REASON_LENGTH)
    standing_set(membership=membership, to=Standing.PAUSED, by=by, reason=reason)
    assignments_take_back(
        project=membership.project,
        annotator=membership.user,
        by=by,
        reason=gettext_noop("paused before it was shown"),
        unshown=True,
    )


def annotator_cap(*, membership: Membership, by: User, daily_cap: int | None) -> None:
    """Set how many judgments a day this person may make; None is the project's number. Raises: Invalid."""
    if daily_cap is not None and not 1 <= daily_cap <= MAX_CAP:
        raise Invalid(_("A day's limit is a number from 1 to %(max)s, or empty.") % {"max": f"{MAX_CAP:,}"})
    before = "as the project" if membership.daily_cap is None else str(membership.daily_cap)
    after = "as the project" if daily_cap is None else str(daily_cap)
    Membership.objects.filter(pk=membership.pk).update(daily_cap=daily_cap)
    transition_log(obj=membership, from_state=f"a day: {before}", to_state=f"a day: {after}", actor=by)
    membership.daily_cap = daily_cap
