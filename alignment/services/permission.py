"""Who may change a project's rounds and deployments."""

from django.utils.translation import gettext as _

from feedback.domain.errors import NotAllowed
from feedback.models import Project, User


def manager_ensure(*, by: User, project: Project) -> None:
    """Raises: NotAllowed unless the person manages the project."""
    if not by.has_perm("feedback.manage_project", project):
        raise NotAllowed(_("Only an admin of the project may do this."))
