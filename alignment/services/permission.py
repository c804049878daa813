"""Who may change a project's rounds and deployments."""

from feedback.domain.errors import NotAllowed
from feedback.models import Project, User


def manager_ensure(*, by: User, project: Project) -> None:
    """Raises: NotAllowed unless the person manages the project."""
    if not by.has_perm("feedback.manage_project", project):
        raise NotAllowed("Only an admin of the project may do this.")
