"""Who may do what in a project; site admins pass all (Django's model backend sees to that)."""

import rules

from feedback.domain.states import Role
from feedback.models import Project, User
from feedback.selectors.project import membership_roles


@rules.predicate
def is_member(user: User, project: Project) -> bool:
    return bool(_roles(user, project))


@rules.predicate
def is_annotator(user: User, project: Project) -> bool:
    return Role.ANNOTATOR in _roles(user, project)


@rules.predicate
def is_adjudicator(user: User, project: Project) -> bool:
    return Role.ADJUDICATOR in _roles(user, project)


@rules.predicate
def is_researcher(user: User, project: Project) -> bool:
    return Role.RESEARCHER in _roles(user, project)


@rules.predicate
def is_admin(user: User, project: Project) -> bool:
    return Role.ADMIN in _roles(user, project)


@rules.predicate
def is_site_staff(user: User) -> bool:
    return bool(user.is_active and user.is_staff)


def _roles(user: User, project: Project | None) -> frozenset[Role]:
    if project is None or not user.is_active or not isinstance(user, User):
        return frozenset()
    return membership_roles(user=user, project=project)


rules.add_perm("feedback.view_project", is_member)
rules.add_perm("feedback.annotate_project", is_annotator)
rules.add_perm("feedback.adjudicate_project", is_admin | is_adjudicator)
rules.add_perm("feedback.manage_project", is_admin)
rules.add_perm("feedback.export_project", is_admin | is_researcher)
rules.add_perm("feedback.create_project", is_site_staff)
