"""What annotators found wrong with tasks."""

from django.db.models import QuerySet

from feedback.models import Project, Report


def report_list(*, project: Project) -> QuerySet[Report]:
    """Return the reports that nobody has looked at, the oldest first."""
    return (
        Report.objects.filter(task__project=project, resolved_at=None)
        .select_related("task__prompt", "annotator")
        .order_by("pk")
    )
