"""Projects, as far as a person may see them."""

from django.db.models import QuerySet

from feedback.domain.protocol import kinds_for
from feedback.domain.states import Role
from feedback.models import Membership, Project, Protocol, User
from feedback.selectors.rows import Rows


def project_list(*, user: User) -> QuerySet[Project]:
    """Return the projects of which the person is a member; all for a site admin."""
    projects = Project.objects.order_by("name")
    if user.is_active and user.is_superuser:
        return projects
    return projects.filter(memberships__in=Membership.objects.filter(user=user, is_active=True)).distinct()


def project_get(*, user: User, project_id: int) -> Project | None:
    """Return a project, or None when there is none that the person may see: a stranger is not told which."""
    return project_list(user=user).filter(pk=project_id).first()


def membership_roles(*, user: User, project: Project) -> frozenset[Role]:
    """Return the person's active roles in the project."""
    roles = Membership.objects.filter(user=user, project=project, is_active=True).values_list("role", flat=True)
    return frozenset(Role(role) for role in roles)


_MEMBERSHIP = Rows(
    """
    SELECT {membership}, {project}
    FROM feedback_membership AS membership JOIN feedback_project AS project ON project.id = membership.project_id
    WHERE membership.project_id = %s AND membership.user_id = %s AND membership.role = %s AND membership.is_active
    """,
    membership=Membership,
    project=Project,
)


def annotator_membership(*, project_id: int, annotator: User) -> Membership | None:
    """Return the membership under which a person annotates in a project, with both at hand."""
    for membership, project in _MEMBERSHIP.read(project_id, annotator.pk, Role.ANNOTATOR.value):
        membership.project, membership.user = project, annotator
        found: Membership = membership
        return found
    return None


_NEWEST = Rows(
    """
    SELECT {protocol} FROM feedback_protocol AS protocol WHERE protocol.project_id = %s
    ORDER BY protocol.number DESC LIMIT 1
    """,
    protocol=Protocol,
)


def protocol_current(*, project: Project) -> Protocol:
    """Return the newest version of the guidelines."""
    ((newest,),) = _NEWEST.read(project.pk)
    assert isinstance(newest, Protocol)
    return newest


def protocol_for(*, project: Project, n_answers: int) -> Protocol:
    """Return the newest version that can judge a task with so many answers.

    Tasks that were made before the project changed to another kind are still done as they were meant.
    """
    newest, kinds = protocol_current(project=project), kinds_for(n_answers)
    if newest.kind in kinds:
        return newest
    return Protocol.objects.filter(project=project, kind__in=kinds).order_by("-number").first() or newest


def protocol_list(*, project: Project) -> QuerySet[Protocol]:
    """Return all versions of the guidelines, newest first."""
    return Protocol.objects.filter(project=project).select_related("created_by").order_by("-number")


def roles_by_project(*, user: User) -> dict[int, set[str]]:
    """Return the person's active roles by project id."""
    roles: dict[int, set[str]] = {}
    memberships = Membership.objects.filter(user=user, is_active=True)
    for project_id, role in memberships.values_list("project_id", "role"):
        roles.setdefault(project_id, set()).add(role)
    return roles
