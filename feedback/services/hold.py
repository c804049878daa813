"""One writer at a time where rows that do not exist yet could clash."""

from feedback.models import Project


def project_hold(*, project: Project) -> None:
    """Hold the project's row until the caller's transaction ends; others who hold it wait. Changes nothing."""
    Project.objects.filter(pk=project.pk).update(is_demo=project.is_demo)
