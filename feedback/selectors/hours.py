"""Who worked how much on which day, for pay. Days begin at midnight in each annotator's own time zone."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from feedback.models import Assignment, Judgment, Project, User
from feedback.selectors.person import pseudonyms

COLUMNS = [
    "day",
    "time_zone",
    "annotator",
    "name",
    "pseudonym",
    "n_judgments",
    "n_counted",
    "n_corrections",
    "n_skipped",
    "active_s",
    "active_hours",
    "judgments_per_hour",
]


_NO_WORK = {"n_all": 0, "n_judgments": 0, "n_counted": 0, "active_s": 0.0, "n_skipped": 0, "skipped_s": 0.0}


def hours_rows(
    *, project: Project, first: dt.date | None = None, last: dt.date | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a row a person and day with work, by person and day; `first` and `last` are days of the person's own.

    Corrections and skipped tasks are work as well: their seconds count, and they stand in columns of their own.
    `judgments_per_hour` is empty where a client reported no active time.
    """
    names = pseudonyms(project=project)
    judged = Judgment.objects.filter(task__project=project).values("annotator")
    skipped = Assignment.objects.filter(task__project=project).exclude(released_at=None).values("annotator")
    people = User.objects.filter(Q(pk__in=judged) | Q(pk__in=skipped))
    for user in people.order_by("username"):
        own = Judgment.objects.filter(task__project=project, annotator=user)
        judged = _by_day(own, "created_at", user, first, last).annotate(
            n_all=Count("pk"),
            n_judgments=Count("pk", filter=Q(supersedes=None)),
            n_counted=Count("pk", filter=Q(supersedes=None, counted=True)),
            active_s=Sum("active_s", default=0.0),
        )
        given_back = Assignment.objects.filter(task__project=project, annotator=user).exclude(released_at=None)
        skipped = _by_day(given_back, "released_at", user, first, last).annotate(
            n_skipped=Count("pk"), skipped_s=Sum("active_s", default=0.0)
        )
        days: dict[dt.date, dict[str, Any]] = defaultdict(dict)
        for row in [*judged, *skipped]:
            days[row["day"]] |= row
        for day in sorted(days):
            yield _row(user, names.get(user.pk, ""), {**_NO_WORK, **days[day]})


def _by_day(
    rows: QuerySet[Any], at: str, user: User, first: dt.date | None, last: dt.date | None
) -> QuerySet[Any, dict[str, Any]]:
    days = rows.annotate(day=TruncDate(at, tzinfo=ZoneInfo(user.time_zone)))
    if first is not None:
        days = days.filter(day__gte=first)
    if last is not None:
        days = days.filter(day__lte=last)
    by_day: QuerySet[Any, dict[str, Any]] = days.values("day").order_by("day")
    return by_day


def _row(user: User, pseudonym: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    active_s = figures["active_s"] + figures["skipped_s"]
    hours = active_s / 3600
    return {
        "day": figures["day"].isoformat(),
        "time_zone": user.time_zone,
        "annotator": user.username,
        "name": user.get_full_name(),
        "pseudonym": pseudonym,
        "n_judgments": figures["n_judgments"],
        "n_counted": figures["n_counted"],
        "n_corrections": figures["n_all"] - figures["n_judgments"],
        "n_skipped": figures["n_skipped"],
        "active_s": round(active_s, 1),
        "active_hours": round(hours, 4),
        "judgments_per_hour": round(figures["n_judgments"] / hours, 1) if hours else None,
    }
