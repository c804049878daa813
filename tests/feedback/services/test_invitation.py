import datetime as dt
import threading

import pytest
from django.db import connection
from django.utils import timezone

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.states import Role
from feedback.models import Invitation, Membership, Transition, User
from feedback.selectors.person import invitation_usable, invitations_open
from feedback.services.invitation import (
    invitation_accept,
    invitation_create,
    invitation_revoke,
    invitation_sign_up,
)
from tests.feedback.factories import ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


def make(project, **options):
    return invitation_create(project=project, role=Role.ANNOTATOR, by=project.created_by, **options)


def test_the_token_is_nowhere_in_the_database(project):
    _invitation, token = make(project)

    assert len(token) >= 40
    assert token not in str(Invitation.objects.values().get())


def test_a_link_makes_one_member_once(project):
    invitation, token = make(project)
    first, second = UserFactory.create_batch(2)

    invitation_accept(token=token, user=first)
    with pytest.raises(Conflict, match="ask for a new one"):
        invitation_accept(token=token, user=second)

    assert [(member.user, member.role) for member in Membership.objects.all()] == [(first, Role.ANNOTATOR)]
    moves = Transition.objects.filter(object_type="feedback.invitation", object_id=invitation.pk).order_by("pk")
    assert [move.to_state for move in moves] == ["open", "used"]


def test_a_revoked_link_is_useless(project):
    invitation, token = make(project)
    invitation_revoke(invitation=invitation, by=project.created_by)

    assert invitation_usable(token=token) is None
    with pytest.raises(Conflict):
        invitation_accept(token=token, user=UserFactory())
    with pytest.raises(Conflict):
        invitation_revoke(invitation=invitation, by=project.created_by)
    assert not Membership.objects.exists()


def test_an_old_link_is_useless(project):
    invitation, token = make(project, days=1)
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))

    with pytest.raises(Conflict):
        invitation_accept(token=token, user=UserFactory())
    assert not invitations_open(project=project)


@pytest.mark.parametrize("days", [0, 31])
def test_a_link_works_for_a_month_at_most(project, days):
    with pytest.raises(Invalid, match="1 to 30 days"):
        make(project, days=days)


def test_signing_up_makes_an_account_and_a_member_of_it(project, client):
    _invitation, token = make(project, email="mia@example.org")

    user = invitation_sign_up(token=token, username="mia", password="correct horse battery", name="Mia Lee")

    assert (user.first_name, user.memberships.get().role) == ("Mia Lee", Role.ANNOTATOR)
    assert client.login(username="mia", password="correct horse battery")


@pytest.mark.parametrize("values", [{"password": "password1"}, {"username": "taken"}, {"username": "m i a"}])
def test_a_refused_account_leaves_the_link_as_it_was(project, values):
    UserFactory(username="taken")
    _invitation, token = make(project)

    with pytest.raises((Invalid, Conflict)):
        invitation_sign_up(token=token, **{"username": "mia", "password": "correct horse battery", **values})

    assert invitation_usable(token=token) is not None


def test_no_account_is_made_through_a_used_link(project):
    _invitation, token = make(project)
    invitation_accept(token=token, user=UserFactory())

    with pytest.raises(Conflict):
        invitation_sign_up(token=token, username="mia", password="correct horse battery")

    assert not User.objects.filter(username="mia").exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_who_open_a_link_at_once_one_is_in(project):
    _invitation, token = make(project)
    people = UserFactory.create_batch(6)
    start = threading.Barrier(len(people))
    said = []

    def open_link(user):
        start.wait()
        try:
            invitation_accept(token=token, user=user)
            said.append("in")
        except Conflict:
            said.append("too late")
        finally:
            connection.close()

    threads = [threading.Thread(target=open_link, args=[user]) for user in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(said) == ["in", *["too late"] * 5]
    assert Membership.objects.count() == 1
    assert Invitation.objects.get().used_by == Membership.objects.get().user
