"""Asking for a quality report, and seeing to it that one that was asked for is computed.

Knows nothing of the statistics: a web process imports this, and only a worker imports `quality_computing`.
"""

import datetime as dt

import structlog
from django.db import transaction as database
from django.db.models import Exists, OuterRef
from django.db.models.functions import TruncDate
from django.utils import timezone
from django.utils.translation import gettext_noop

from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.domain.states import QualityState
from feedback.models import Judgment, Project, QualityReport, Snapshot, Transition, User
from feedback.selectors.quality import LIVE, report_newest
from feedback.services.hold import project_hold
from feedback.services.transition import transition, transition_log

log = structlog.get_logger(__name__)

JOB = "feedback.quality_compute"
NEW_JUDGMENTS = 50
"""How many judgments make a new report worth its while: a spammer is to be seen within 50 tasks."""
MIN_AGE = dt.timedelta(minutes=10)
"""The figures move slowly; nobody needs them more often than somebody can act on them."""
REST = 20
"""A report rests this many times as long as it took, so that figures never take more than a twentieth of a worker."""
RESEND_AFTER = dt.timedelta(seconds=30)
"""A report that is queued longer may have lost its message; a second one is refused by the claim."""
LOST_AFTER = dt.timedelta(minutes=30)
"""Three million judgments are computed in minutes; a report that takes longer has lost its worker."""
KEPT_WHOLE = dt.timedelta(days=2)
"""So long every report stays; of each day before, the last one does. A day of judging makes a hundred."""
MAX_ATTEMPTS = 3
"""A report that loses its worker this often takes the machine's memory with it."""
_LOST = gettext_noop("Its worker disappeared again and again. Look into the worker's log, and free memory.")


def quality_ask(*, project: Project, by: User | None = None) -> QualityReport:
    """Ask for a report and return it; while one is under way, that one."""
    with database.atomic():
        project_hold(project=project)  # two who ask at once get the same report
        newest = report_newest(project=project)
        if newest is not None and newest.state in LIVE:
            return newest
        report = QualityReport.objects.create(project=project, asked_by=by)
        transition_log(obj=report, from_state="", to_state=QualityState.QUEUED, actor=by)
        dispatch(JOB, report_id=report.pk)
    return report


def quality_refresh() -> None:
    """Look after reports that are under way, and ask for new ones where enough was judged. Called periodically."""
    now = timezone.now()
    for report in QualityReport.objects.filter(state=QualityState.COMPUTING, started_at__lt=now - LOST_AFTER):
        _requeue(report)
    for report in QualityReport.objects.filter(state=QualityState.QUEUED, created_at__lt=now - RESEND_AFTER):
        with database.atomic():
            dispatch(JOB, report_id=report.pk)
    for project in Project.objects.order_by("pk"):
        if _is_due(project, now):
            quality_ask(project=project)


def quality_thin() -> int:
    """Delete what nobody looks at any more, and return how many reports that were. Called periodically.

    What a dataset names stays, and so does what a consensus rests on.
    """
    later = QualityReport.objects.filter(
        project=OuterRef("project"), state=QualityState.COMPUTED, pk__gt=OuterRef("pk"),
        created_at__date=OuterRef("day"),
    )  # fmt: skip
    old = QualityReport.objects.annotate(day=TruncDate("created_at")).filter(
        Exists(later), created_at__lt=timezone.now() - KEPT_WHOLE, consensuses=None
    )
    named = Snapshot.objects.filter(filter__quality_report__isnull=False).values_list(
        "filter__quality_report", flat=True
    )
    n_deleted, _each = old.exclude(state__in=LIVE).exclude(pk__in=list(named)).delete()
    return n_deleted


def _requeue(report: QualityReport) -> None:
    started = Transition.objects.filter(
        object_type="feedback.qualityreport", object_id=report.pk, to_state=QualityState.COMPUTING
    )
    to, error = QualityState.QUEUED, ""
    if started.count() >= MAX_ATTEMPTS:
        to = QualityState.UNCOMPUTED
        error = _LOST
    try:
        transition(obj=report, to=to, reason="its worker is gone", where={"started_at": report.started_at}, error=error)
    except Conflict:
        return  # it ended between our look and our update
    log.warning("quality_report_lost_its_worker", report_id=report.pk, now=to)


def _is_due(project: Project, now: dt.datetime) -> bool:
    newest = report_newest(project=project)
    after = 0
    if newest is not None:
        if newest.state in LIVE or now < newest.created_at + MIN_AGE:
            return False
        if newest.started_at and newest.computed_at:
            took = newest.computed_at - newest.started_at
            if now < newest.computed_at + REST * took:
                return False
        after = newest.last_judgment_id
    new = Judgment.objects.filter(task__project=project, pk__gt=after)
    return len(new.values_list("pk", flat=True)[:NEW_JUDGMENTS]) >= NEW_JUDGMENTS
