"""Numbers as people read them: durations and shares."""

import datetime as dt
import math
from typing import Any

from django import template
from django.utils.translation import gettext, ngettext

from feedback.models import Project
from feedback.selectors.task import MOST_COUNTED

register = template.Library()

NOTHING = "\N{EN DASH}"
HIDING = 10
"""Tasks among which one that is not counted cannot be told from the others."""
_MINUTE_S = 60
_HOUR_S = 3_600
_HOUR_MIN = 60
_DAY_MIN = 24 * _HOUR_MIN


@register.filter
def duration(seconds: Any) -> str:
    """Write a length of time: "40 s", "3 min", "2 h 5 min". Empty for nothing."""
    if not isinstance(seconds, int | float):
        return ""
    whole = max(0, round(seconds))
    if whole < _MINUTE_S:
        return gettext("%(n)d s") % {"n": whole}
    if whole < _HOUR_S:
        return gettext("%(n)d min") % {"n": round(whole / _MINUTE_S)}
    hours, minutes = divmod(round(whole / _MINUTE_S), _MINUTE_S)
    return gettext("%(h)d h %(m)d min") % {"h": hours, "m": minutes}


@register.filter
def about(length: dt.timedelta) -> str:
    """Write an estimate of time in its one fitting unit: "40 minutes", "5 hours", "3 days"."""
    minutes = max(1, round(length / dt.timedelta(minutes=1)))
    if minutes < 1.5 * _HOUR_MIN:
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    if minutes < 1.5 * _DAY_MIN:
        hours = round(minutes / _HOUR_MIN)
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    days = round(minutes / _DAY_MIN)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


@register.filter
def number(value: Any, digits: int = 2) -> str:
    """Write a measurement with a fixed number of decimals, or a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NOTHING
    return f"{value:.{digits}f}" if isinstance(value, float) else f"{value:,}"


@register.filter
def short(value: Any) -> str:
    """Write a measurement of any size with four significant digits: 0.5852, 123400, 1.2e-05."""
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


@register.simple_tag
def tasks_left(count: int, project: Project) -> str:
    """Write how many tasks wait for somebody; to tens where gold tasks hide, which do not lower the exact number."""
    if count >= MOST_COUNTED:
        return gettext("%(n)s+ tasks left") % {"n": f"{MOST_COUNTED:,}"}
    if count and (project.gold_share or project.repeat_share):
        return gettext("up to %(n)d tasks left") % {"n": math.ceil(count / HIDING) * HIDING}
    return ngettext("%(n)d task left", "%(n)d tasks left", count) % {"n": count}
