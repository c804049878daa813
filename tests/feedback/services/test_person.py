import pytest

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.states import Role, UserKind
from feedback.models import ApiToken, Membership, Transition
from feedback.selectors.person import member_list
from feedback.services.person import member_add, member_remove, token_create, token_revoke, user_create
from tests.feedback.factories import MembershipFactory, ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_an_account_signs_in_with_its_password(client):
    user_create(username="ann", password="correct horse battery", kind=UserKind.SIMULATED)

    assert client.login(username="ann", password="correct horse battery")


def test_an_account_without_a_password_never_signs_in():
    assert not user_create(username="ann").has_usable_password()


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ({"username": "ann", "password": "password1"}, Invalid, "too common"),
        ({"username": "ann", "password": "x7!"}, Invalid, "too short"),
        ({"username": "an n"}, Invalid, "valid username"),
        ({"username": ""}, Invalid, "cannot be blank"),
        ({"username": "taken"}, Conflict, "already"),
    ],
)
def test_a_bad_account_is_refused_with_the_reason(values, error, says):
    UserFactory(username="taken")

    with pytest.raises(error, match=says):
        user_create(**values)


def test_a_key_is_shown_once_and_can_be_revoked():
    user = UserFactory()
    token, clear_text = token_create(user=user, name="laptop", scopes=["export", "annotate", "export"])

    assert token.scopes == ["annotate", "export"]
    assert token.expiry is None
    assert clear_text not in str(ApiToken.objects.values().get())
    token_revoke(user=UserFactory(), digest=token.digest)
    assert ApiToken.objects.exists()
    token_revoke(user=user, digest=token.digest)
    assert not ApiToken.objects.exists()


def test_an_unknown_scope_is_refused():
    with pytest.raises(Invalid, match="choose from annotate"):
        token_create(user=UserFactory(), name="x", scopes=["all"])


def test_a_person_has_one_pseudonym_for_all_roles_and_others_in_other_projects():
    project, other, user = ProjectFactory(), ProjectFactory(), UserFactory()

    names = [member_add(project=project, user=user, role=role, by=None).pseudonym for role in Role]

    assert len(set(names)) == 1
    assert user.username not in names[0]
    assert member_add(project=other, user=user, role=Role.ADMIN, by=None).pseudonym != names[0]


def test_who_comes_back_is_the_same_pseudonym():
    project, user = ProjectFactory(), UserFactory()
    first = member_add(project=project, user=user, role=Role.ANNOTATOR, by=project.created_by)
    member_remove(project=project, user=user, by=project.created_by)

    again = member_add(project=project, user=user, role=Role.ANNOTATOR, by=project.created_by)

    assert (again.pk, again.pseudonym, again.is_active) == (first.pk, first.pseudonym, True)
    moves = Transition.objects.filter(object_type="feedback.membership").order_by("pk")
    assert [move.to_state for move in moves] == ["annotator", "", "annotator"]


def test_one_role_can_be_taken_alone():
    project, user = ProjectFactory(), UserFactory()
    for role in (Role.ANNOTATOR, Role.RESEARCHER):
        member_add(project=project, user=user, role=role, by=None)

    member_remove(project=project, user=user, role=Role.ANNOTATOR, by=None)

    [member] = member_list(project=project)
    assert member.roles == {Role.RESEARCHER}


def test_the_last_admin_stays():
    project = ProjectFactory()
    admin = MembershipFactory(project=project, role=Role.ADMIN).user

    with pytest.raises(Conflict, match="only admin"):
        member_remove(project=project, user=admin, by=admin)
    assert Membership.objects.get().is_active

    other = MembershipFactory(project=project, role=Role.ADMIN).user
    member_remove(project=project, user=admin, by=other)
    assert [member.user for member in member_list(project=project)] == [other]
