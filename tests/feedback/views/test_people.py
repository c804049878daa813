"""Members, invitations, announcements and hours as pages."""

import csv
import re

import pytest
from django.urls import reverse

from feedback.domain.states import Role
from feedback.models import Announcement, Invitation, Membership, User
from feedback.services.announcement import announcement_create
from feedback.services.invitation import invitation_create
from tests.example import example_project
from tests.feedback.factories import JudgmentFactory, ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def example():
    return example_project(n_tasks=1)


@pytest.fixture
def ada(client, example):
    client.force_login(example.admin)
    return client


def url(example, name, *args):
    return reverse(f"feedback:{name}", args=[example.project.pk, *args])


def invite(example, role=Role.ANNOTATOR):
    return invitation_create(project=example.project, role=role, by=example.admin)


def test_a_link_is_shown_in_one_answer_only(ada, example):
    form = {"invite-role": "researcher", "invite-days": "3", "invite-email": "mia@example.org"}
    page = ada.post(url(example, "invitation_create"), form).content.decode()

    path = re.search(r'id="invitation-link">http://testserver(/invitations/[^<]+)<', page)[1]
    assert path not in ada.get(url(example, "members")).content.decode()
    assert "mia@example.org" in ada.get(url(example, "members")).content.decode()
    assert "Harbour town" in ada.get(path).content.decode()


def test_a_wrong_invitation_is_refused_beside_its_field(ada, example):
    form = {"invite-role": "king", "invite-days": "99"}
    response = ada.post(url(example, "invitation_create"), form, **HTMX)
    assert response.status_code == 422
    assert b"<html" not in response.content
    assert not Invitation.objects.exists()


def test_a_revoked_link_opens_nothing(ada, example, client):
    invitation, token = invite(example)
    ada.post(url(example, "invitation_revoke"), {"invitation": invitation.pk})
    response = client.get(reverse("feedback:invitation", args=[token]))
    assert response.status_code == 410
    assert "Harbour town" not in response.content.decode().split("<main")[1]


def test_nobody_revokes_an_invitation_of_another_project(ada, example):
    other = ProjectFactory()
    invitation, _ = invitation_create(project=other, role=Role.ADMIN, by=other.created_by)
    ada.post(url(example, "invitation_revoke"), {"invitation": invitation.pk})
    invitation.refresh_from_db()
    assert invitation.revoked_at is None


def test_somebody_with_an_account_joins(client, example):
    _, token = invite(example)
    client.force_login(example.stranger)
    assert client.get(url(example, "project")).status_code == 404
    response = client.post(reverse("feedback:invitation_accept", args=[token]))
    assert response["Location"] == url(example, "project")
    assert client.get(url(example, "project")).status_code == 200


def test_a_member_who_opens_it_leaves_it_for_somebody_else(client, example):
    _, token = invite(example)
    client.force_login(example.annotator)
    client.post(reverse("feedback:invitation_accept", args=[token]))
    assert Invitation.objects.get().used_at is None


def test_a_visitor_makes_an_account_and_is_in(client, example):
    _, token = invite(example)
    form = {"username": "mia", "name": "Mia", "email": "", "password": "correct horse battery"}
    response = client.post(reverse("feedback:invitation_sign_up", args=[token]), form)
    assert response["Location"] == url(example, "project")
    assert client.get(url(example, "label")).status_code == 200
    assert client.get(reverse("feedback:invitation", args=[token])).status_code == 410


def test_a_refused_sign_up_keeps_what_was_typed_but_not_the_password(client, example):
    _, token = invite(example)
    form = {"username": "annie", "name": "Annie B", "password": "correct horse battery"}
    response = client.post(reverse("feedback:invitation_sign_up", args=[token]), form)
    page = response.content.decode()
    assert response.status_code == 422
    assert "Annie B" in page
    assert "correct horse" not in page
    assert User.objects.filter(username="annie").count() == 1


def test_removing_a_person_keeps_their_judgments(ada, example):
    judgment = JudgmentFactory(assignment__task=example.tasks[0], assignment__annotator=example.annotator)
    ada.post(url(example, "member_remove"), {"username": "annie"})
    assert not Membership.objects.filter(user=example.annotator, is_active=True).exists()
    judgment.refresh_from_db()
    assert judgment.annotator == example.annotator


def test_the_last_admin_is_told_why_they_stay(ada, example):
    page = ada.post(url(example, "member_remove"), {"username": "ada"}, **HTMX).content.decode()
    assert "only admin" in page
    assert Membership.objects.get(user=example.admin).is_active


def test_annotators_see_an_announcement_until_they_put_it_away(client, example):
    client.force_login(example.admin)
    client.post(url(example, "announcements"), {"text": "**Tea** <script>alert(1)</script>"})
    client.force_login(example.annotator)
    page = client.get(url(example, "label")).content.decode()
    assert "<strong>Tea</strong>" in page
    assert "<script>alert(1)" not in page

    last = Announcement.objects.get().pk
    part = client.post(url(example, "announcements_unseen"), {"last": last}, **HTMX).content.decode()

    assert "Tea" not in part
    assert "Tea" not in client.get(url(example, "label")).content.decode()


def test_without_scripts_putting_away_leads_back_to_the_task(client, example):
    shown = announcement_create(project=example.project, text="Tea", by=example.admin)
    client.force_login(example.annotator)
    response = client.post(url(example, "announcements_unseen"), {"last": shown.pk})
    assert response["Location"] == url(example, "label")
    for odd in ("", "x", "9" * 30):
        assert client.post(url(example, "announcements_unseen"), {"last": odd}).status_code == 303


def test_an_announcement_is_ended_in_its_own_project_alone(client, example):
    own = announcement_create(project=example.project, text="Own", by=example.admin)
    foreign = announcement_create(project=ProjectFactory(), text="Foreign", by=example.admin)
    client.force_login(example.admin)
    assert client.post(url(example, "announcement_end", own.pk)).status_code == 303
    assert client.post(url(example, "announcement_end", foreign.pk)).status_code == 404
    own.refresh_from_db()
    foreign.refresh_from_db()
    assert own.ends_at is not None
    assert foreign.ends_at is None


def hours(client, example, **query):
    response = client.get(url(example, "hours_csv"), query)
    return list(csv.DictReader(b"".join(response.streaming_content).decode().splitlines()))


def test_hours_come_as_csv_that_no_spreadsheet_computes(ada, example):
    for start in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        user = UserFactory(first_name=start)
        JudgmentFactory(assignment__task=example.tasks[0], assignment__annotator=user, active_s=60.0)

    rows = hours(ada, example)

    assert len(rows) == 6
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())
    assert {row["active_s"] for row in rows} == {"60.0"}


def test_hours_of_bad_days_are_refused(ada, example):
    assert hours(ada, example, first="2099-01-01") == []
    response = ada.get(url(example, "hours_csv"), {"first": "yesterday"})
    assert response.status_code == 400
    assert "first" in response.content.decode()
