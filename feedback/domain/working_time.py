"""Seconds that somebody worked on something, as their browser or program reports them."""

from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid

DAY_S = 24 * 3600
"""Nobody works longer on one task; what is more was measured wrongly."""


def check_active_s(active_s: float | None) -> float | None:
    """Return the seconds as they are, None where they are unknown. Raises: Invalid."""
    if active_s is not None and not 0 <= active_s <= DAY_S:
        raise Invalid(_("active_s must lie between 0 and 86400 seconds."))
    return active_s
