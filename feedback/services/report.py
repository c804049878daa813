"""Problems with tasks that annotators report, and their end."""

from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.errors import NotAllowed
from feedback.domain.messages import check_text
from feedback.models import Assignment, Report, User

MAX_LENGTH = 2_000


def report_add(*, assignment: Assignment, annotator: User, text: str) -> Report:
    """Keep what is wrong with a task; sending the same text again keeps it once. Raises: NotAllowed, Invalid."""
    if assignment.annotator_id != annotator.pk:
        raise NotAllowed(_("This task is with another annotator."))
    check_text(text, _("The report"), max_length=MAX_LENGTH)
    report, _created = Report.objects.get_or_create(
        task_id=assignment.task_id, annotator=annotator, text=text.strip(), resolved_at=None
    )
    return report


def report_resolve(*, report: Report, by: User) -> Report:
    """Note that somebody has looked at it; a report that is resolved stays as it is."""
    Report.objects.filter(pk=report.pk, resolved_at=None).update(resolved_at=timezone.now(), resolved_by=by)
    report.refresh_from_db(fields=["resolved_at", "resolved_by"])
    return report
