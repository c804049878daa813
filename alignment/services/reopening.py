"""Letting people go on with a closed batch when an admin wants it, and no round is working on its rankings."""

from django.utils.translation import gettext as _

from alignment.domain.errors import RoundRefused
from alignment.domain.states import FINAL_ROUND_STATES, RoundState
from alignment.models import Round
from feedback.domain.states import BatchState
from feedback.models import Batch, User
from feedback.services.batch import batch_reopen

_BEFORE_LAUNCH = (RoundState.SAMPLING, RoundState.LABELING)


def batch_reopen_asked(*, batch: Batch, by: User, reason: str) -> Batch:
    """Open a closed batch again; one that is open stays so. Raises: RoundRefused, Conflict.

    A launched round pins which rankings it reads a moment after its batch was closed: a correction in between would
    be in neither this round nor the next.
    """
    if batch.state == BatchState.OPEN:
        return batch
    working = Round.objects.filter(batch=batch).exclude(state__in=[*FINAL_ROUND_STATES, *_BEFORE_LAUNCH]).first()
    if working is not None:
        raise RoundRefused(
            _("Round %(number)d works on this batch; wait until it has ended.") % {"number": working.number}
        )
    return batch_reopen(batch=batch, by=by, reason=reason)
