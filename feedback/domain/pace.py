"""How fast a project moves and when it is done, from when its latest judgments were made."""

import dataclasses
import datetime as dt
from collections.abc import Sequence

AT_LEAST = 10
"""Judgments: fewer say nothing about a pace."""
STILL_AFTER = dt.timedelta(days=1)
"""Without a judgment: whoever goes home in the evening is back by then."""

LONGEST = dt.timedelta(days=365)
"""No pace holds for longer."""


@dataclasses.dataclass(frozen=True)
class Pace:
    n_judgments: int
    """The latest ones, on which it rests."""
    since: dt.datetime
    """When the first of them was made."""
    per_hour: float
    """Over all the time from then to now, breaks and nights included."""


def pace_of(times: Sequence[dt.datetime], *, now: dt.datetime) -> Pace | None:
    """Return the pace of the latest judgments, None when they are too few or nothing moves."""
    if len(times) < AT_LEAST or now - max(times) > STILL_AFTER:
        return None
    since = min(times)
    hours = max((now - since).total_seconds(), 1.0) / 3600
    return Pace(n_judgments=len(times), since=since, per_hour=len(times) / hours)


def time_left(pace: Pace, *, n_judgments: int) -> dt.timedelta:
    """Return how long so many further judgments take at this pace, at most `LONGEST`."""
    hours = min(n_judgments / pace.per_hour, LONGEST / dt.timedelta(hours=1))
    return dt.timedelta(hours=hours)
