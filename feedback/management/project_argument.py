"""The PROJECT argument of commands: an id or a name."""

from django.core.management.base import CommandError

from feedback.models import Project


def project_of(argument: str) -> Project:
    """Return the project. Raises: CommandError that names the projects there are."""
    by_id = Project.objects.filter(pk=int(argument)) if argument.isdecimal() else Project.objects.none()
    project = by_id.first() or Project.objects.filter(name=argument).first()
    if project is None:
        names = ", ".join(f"{pk} ({name})" for pk, name in Project.objects.values_list("pk", "name")[:20]) or "none"
        raise CommandError(f"There is no project {argument}; there are: {names}.")
    return project
