"""What an annotator may do in a project now. Every claim asks here; nothing else does."""

from feedback.domain.errors import Halted
from feedback.domain.states import Standing
from feedback.models import Membership

_MAY_CLAIM = (Standing.LEARNING, Standing.WORKING)


def standing_check(*, membership: Membership) -> None:
    """Refuse a claim of somebody who may not get a task now. Raises: Halted, with the reason for the person."""
    if membership.standing not in _MAY_CLAIM:
        raise Halted(membership.standing_reason)
