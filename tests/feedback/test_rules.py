import pytest
from django.contrib.auth.models import AnonymousUser

from feedback.selectors.project import project_get, project_list
from tests.feedback.factories import MembershipFactory, ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db

PERMISSIONS = ("view_project", "annotate_project", "adjudicate_project", "manage_project", "export_project")
MAY = {
    "annotator": {"view_project", "annotate_project"},
    "researcher": {"view_project", "export_project"},
    "adjudicator": {"view_project", "adjudicate_project"},
    "admin": {"view_project", "adjudicate_project", "manage_project", "export_project"},
}


def granted(user, project):
    return {name for name in PERMISSIONS if user.has_perm(f"feedback.{name}", project)}


@pytest.mark.parametrize("role", MAY)
def test_a_role_may_do_this_and_no_more_and_only_here(role):
    membership = MembershipFactory(role=role)

    assert granted(membership.user, membership.project) == MAY[role]
    assert granted(membership.user, ProjectFactory()) == set()


def test_roles_add_up():
    membership = MembershipFactory(role="annotator")
    MembershipFactory(project=membership.project, user=membership.user, role="admin")

    assert granted(membership.user, membership.project) == set(PERMISSIONS)


@pytest.mark.parametrize(
    "person",
    [
        lambda project: UserFactory(),
        lambda project: UserFactory(is_staff=True),
        lambda project: MembershipFactory(project=project, role="admin", is_active=False).user,
        lambda project: MembershipFactory(project=project, role="admin", user__is_active=False).user,
        lambda project: UserFactory(is_superuser=True, is_active=False),
        lambda project: AnonymousUser(),
    ],
    ids=["stranger", "site staff", "former member", "closed account", "closed site admin", "anonymous"],
)
def test_others_may_nothing(person):
    project = ProjectFactory()

    assert granted(person(project), project) == set()


def test_site_admins_may_everything():
    assert granted(UserFactory(is_superuser=True), ProjectFactory()) == set(PERMISSIONS)


def test_site_staff_make_projects():
    assert UserFactory(is_staff=True).has_perm("feedback.create_project")
    assert UserFactory(is_superuser=True).has_perm("feedback.create_project")
    assert not UserFactory().has_perm("feedback.create_project")
    assert not UserFactory(is_staff=True, is_active=False).has_perm("feedback.create_project")


def test_people_find_their_own_projects_and_no_others():
    membership = MembershipFactory(role="annotator")
    MembershipFactory(project=membership.project, user=membership.user, role="researcher")
    foreign = ProjectFactory()

    assert list(project_list(user=membership.user)) == [membership.project]
    assert project_get(user=membership.user, project_id=membership.project.pk) == membership.project
    assert project_get(user=membership.user, project_id=foreign.pk) is None
