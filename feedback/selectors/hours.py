"""Who worked how much on which day, for pay. Days begin at midnight in each annotator's own time zone."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from feedback.models import Judgment, Project, User
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
    "active_s",
    "active_hours",
    "judgments_per_hour",
]


def hours_rows(
    *, project: Project, first: dt.date | None = None, last: dt.date | None = None
) -> Iterator[dict[str, Any]]:
    """Yield a row a person and day with work, by person and day; `first` and `last` are days of the person's own.

    Corrections are work as well: their seconds count, and they stand in a column of their own. `judgments_per_hour` is
    empty where a client reported no active time.
    """
    names = pseudonyms(project=project)
    people = User.objects.filter(pk__in=Judgment.objects.filter(task__project=project).values("annotator"))
    for user in people.order_by("username"):
        own = Judgment.objects.filter(task__project=project, annotator=user)
        days = own.annotate(day=TruncDate("created_at", tzinfo=ZoneInfo(user.time_zone)))
        if first is not None:
            days = days.filter(day__gte=first)
        if last is not None:
            days = days.filter(day__lte=last)
        figures = days.values("day").annotate(
            n_all=Count("pk"),
            n_judgments=Count("pk", filter=Q(supersedes=None)),
            n_counted=Count("pk", filter=Q(supersedes=None, counted=True)),
            active_s=Sum("active_s", default=0.0),
        )
        for row in figures.order_by("day"):
            yield _row(user, names.get(user.pk, ""), row)


def _row(user: User, pseudonym: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    hours = figures["active_s"] / 3600
    return {
        "day": figures["day"].isoformat(),
        "time_zone": user.time_zone,
        "annotator": user.username,
        "name": user.get_full_name(),
        "pseudonym": pseudonym,
        "n_judgments": figures["n_judgments"],
        "n_counted": figures["n_counted"],
        "n_corrections": figures["n_all"] - figures["n_judgments"],
        "active_s": round(figures["active_s"], 1),
        "active_hours": round(hours, 4),
        "judgments_per_hour": round(figures["n_judgments"] / hours, 1) if hours else None,
    }
