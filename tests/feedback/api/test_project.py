import pytest

from tests.feedback.factories import MembershipFactory, ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_person_sees_their_own_projects_with_their_roles(client_of, project):
    user = MembershipFactory(project=project).user
    MembershipFactory(project=project, user=user, role="researcher")
    MembershipFactory(user=user, is_active=False)
    ProjectFactory()

    answer = client_of(user).get("/api/v1/projects/")

    assert answer.status_code == 200
    assert answer.json() == [
        {"id": project.pk, "name": project.name, "description": "", "roles": ["annotator", "researcher"]}
    ]


def test_a_site_admin_sees_all_projects(client_of, project):
    ProjectFactory()

    assert len(client_of(UserFactory(is_superuser=True)).get("/api/v1/projects/").json()) == 2


def test_many_projects_need_no_more_queries(client_of, django_assert_num_queries):
    user = UserFactory()
    for _ in range(10):
        MembershipFactory(user=user)
    client = client_of(user)
    client.get("/api/v1/projects/")

    with django_assert_num_queries(3):  # key, projects, roles
        assert len(client.get("/api/v1/projects/").json()) == 10
