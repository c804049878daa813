"""What annotators found wrong with tasks."""

from django.db.models import QuerySet

from feedback.models import Project, Report


def report_list(*, project: Project, is_done: bool = False) -> QuerySet[Report]:
    """Return the reports that nobody has looked at, or those that are done, the newest first; slice it."""
    return (
        Report.objects.filter(task__project=project, resolved_at__isnull=not is_done)
        .select_related("task__prompt", "resolved_by")
        .order_by("-pk")
    )


def report_get(*, project: Project, report_id: int) -> Report | None:
    """Return a report on a task of this project, or None."""
    return Report.objects.filter(task__project=project, pk=report_id).first()
