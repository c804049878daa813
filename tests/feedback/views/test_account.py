"""Signing in, passwords, one's own settings, one's own data."""

import json
import re

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from feedback.models import User
from feedback.services.person import user_create
from tests.example import PASSWORD, example_project
from tests.feedback.factories import MembershipFactory, ProjectFactory, SnapshotFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_earlier_attempts():
    cache.clear()


@pytest.fixture
def annie():
    return UserFactory(username="annie", email="annie@example.org")


def sign_in(client, password=PASSWORD, username="annie", **options):
    return client.post("/login/", {"login": username, "password": password}, **options)


def test_people_sign_in_by_their_user_name_and_come_back_to_where_they_were(client, annie):
    response = client.post("/login/?next=/account/", {"login": "annie", "password": PASSWORD, "next": "/account/"})
    assert response["Location"] == "/account/"
    assert client.get("/account/").status_code == 200


def test_nobody_is_sent_to_another_site(client, annie):
    response = client.post("/login/", {"login": "annie", "password": PASSWORD, "next": "https://evil.example/"})
    assert response["Location"] == "/"


def test_a_wrong_password_says_the_same_as_an_unknown_name(client, annie):
    wrong = sign_in(client, "wrong").content.decode()
    unknown = sign_in(client, "wrong", "nobody").content.decode()
    said = [re.search(r'role="alert">([^<]+)<', page)[1] for page in (wrong, unknown)]
    assert said[0] == said[1]


def test_guessing_is_limited_and_the_right_password_waits_too(client, annie):
    for _ in range(5):
        sign_in(client, "wrong")
    page = sign_in(client).content.decode()
    assert "Too many failed" in page
    assert "_auth_user_id" not in client.session
    assert sign_in(client, username=UserFactory().username).status_code == 302  # nobody else is locked out


def test_signing_in_too_often_from_one_address_is_answered_with_429(client, annie, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": "2/m/ip"}
    answered = [sign_in(client, "wrong").status_code for _ in range(3)]
    assert answered == [200, 200, 429]
    assert "Wait a minute" in sign_in(client, "wrong").content.decode()


def test_the_limit_counts_the_visitors_address_and_not_the_proxys(client, annie, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip"}
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    first = sign_in(client, "wrong", headers={"X-Forwarded-For": "203.0.113.7"})
    second = sign_in(client, "wrong", headers={"X-Forwarded-For": "203.0.113.8"})
    forged = sign_in(client, "wrong", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.8"})
    assert [first.status_code, second.status_code, forged.status_code] == [200, 200, 429]


def test_the_sites_tables_have_no_door_of_their_own(client):
    user_create(username="root", password="correct horse battery", is_staff=True, is_superuser=True)
    response = client.post("/admin/login/", {"username": "root", "password": "correct horse battery"})
    assert response["Location"].startswith("/login/")
    assert "_auth_user_id" not in client.session


def test_nobody_signs_up_without_an_invitation(client):
    form = {"username": "mia", "email": "", "password1": "correct horse battery"}
    assert "needs an invitation" in client.get("/account/sign-up/").content.decode()
    client.post("/account/sign-up/", form)
    assert not User.objects.exists()


def test_a_forgotten_password_is_set_through_a_mail(client, annie):
    client.post("/account/password/reset/", {"email": "annie@example.org"})
    [message] = mail.outbox
    assert message.to == ["annie@example.org"]
    assert "annie" in message.body
    path = re.search(r"http://testserver(/\S+)", message.body)[1]
    page = client.get(path, follow=True)
    done = client.post(page.request["PATH_INFO"], {"password1": "a new long secret", "password2": "a new long secret"})
    assert done.status_code == 302
    assert sign_in(client, "a new long secret")["Location"] == "/"
    client.logout()
    assert "used already" in client.get(path, follow=True).content.decode()


def test_an_unknown_address_gets_no_mail_and_is_not_told_apart(client, annie):
    known = client.post("/account/password/reset/", {"email": "annie@example.org"}, follow=True).content
    mail.outbox.clear()
    unknown = client.post("/account/password/reset/", {"email": "nobody@example.org"}, follow=True).content
    assert mail.outbox == []
    strip = re.compile(rb"csrf\S+|X-CSRFToken[^}]+|value=\"[^\"]*\"")
    assert strip.sub(b"", known) == strip.sub(b"", unknown)


def test_a_changed_password_ends_other_sessions(client, annie):
    other = Client()
    sign_in(other)
    sign_in(client)
    changed = {"oldpassword": PASSWORD, "password1": "a new long secret", "password2": "a new long secret"}
    client.post("/account/password/", changed)
    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302


def test_single_sign_on_is_there_only_when_it_is_set_up(client, settings):
    assert "Sign in with" not in client.get("/login/").content.decode()
    assert client.get("/account/sso/sso/").status_code == 404
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "APPS": [{"provider_id": "sso", "name": "Uni", "client_id": "a", "secret": "b",
                      "settings": {"server_url": "https://login.example.org"}}],
        }
    }  # fmt: skip
    page = client.get("/login/").content.decode()
    assert "Sign in with Uni" in page
    assert "/account/sso/sso/" in page


def test_what_a_person_sets_is_used(client, annie):
    client.force_login(annie)
    form = {"name": "Annie Lee", "email": annie.email, "language": "en", "time_zone": "Asia/Tokyo"}
    assert client.post("/account/", form)["Location"] == "/account/"
    annie.refresh_from_db()
    assert (annie.get_full_name(), annie.language, annie.time_zone) == ("Annie Lee", "en", "Asia/Tokyo")


def test_another_address_asks_for_the_password_first(client, annie):
    client.force_login(annie)
    form = {"name": "", "email": "a@example.org", "language": "", "time_zone": "UTC"}
    asked = client.post("/account/", form)
    assert asked["Location"] == "/account/confirm/?next=%2Faccount%2F"
    assert client.post(asked["Location"], {"password": "wrong"}).status_code == 200
    annie.refresh_from_db()
    assert annie.email == "annie@example.org"
    client.post(asked["Location"], {"password": PASSWORD, "next": "/account/"})
    annie.refresh_from_db()
    assert annie.email == "a@example.org"


@pytest.mark.parametrize(
    "wrong", [{"time_zone": "Mars/Base"}, {"language": "xx"}, {"name": "n" * 151}, {"time_zone": ""}]
)
def test_a_wrong_setting_is_refused(client, annie, wrong):
    client.force_login(annie)
    form = {"name": "", "email": annie.email, "language": "", "time_zone": "UTC"} | wrong
    assert client.post("/account/", form).status_code == 422
    annie.refresh_from_db()
    assert annie.time_zone == "UTC"


def test_warned_of_tags_can_be_opted_out_of(client, annie):
    project = ProjectFactory(protocol__options={"warnings": {"violence": "Contains violence."}})
    membership = MembershipFactory(project=project, user=annie)
    client.force_login(annie)
    assert "Contains violence." in client.get("/account/").content.decode()
    client.post(reverse("account:opt_out", args=[project.pk]), {"tags": ["violence", "unknown"]})
    membership.refresh_from_db()
    assert membership.opted_out_tags == ["violence"]
    client.post(reverse("account:opt_out", args=[project.pk]), {})
    membership.refresh_from_db()
    assert membership.opted_out_tags == []


def test_pages_show_times_in_the_persons_zone(client):
    example = example_project(n_tasks=1)
    SnapshotFactory(project=example.project, counts={"judgments": 3})
    example.project.snapshots.update(created_at="2026-11-22T23:30Z")
    User.objects.filter(pk=example.admin.pk).update(time_zone="Asia/Tokyo")
    client.force_login(example.admin)
    assert "of 2026-11-23, 3 judgments" in client.get(f"/projects/{example.project.pk}/data/").content.decode()


def test_a_snapshot_says_what_was_erased_from_it(client):
    example = example_project(n_tasks=1)
    erasure = {"at": "2026-11-22T23:30:00+00:00", "what": "written answers of 1 judgments"}
    SnapshotFactory(project=example.project, erasures=[erasure])
    client.force_login(example.researcher)
    page = client.get(f"/projects/{example.project.pk}/data/").content.decode()
    assert "Erased on 2026-11-22" in page
    assert "written answers of 1 judgments" in page


def test_everybody_takes_home_what_is_held_about_them(client, annie):
    client.force_login(annie)
    response = client.get(reverse("feedback:person_data"))
    data = json.loads(b"".join(response.streaming_content))
    assert data["account"][0]["username"] == "annie"
    assert data["judgments"] == []
    assert "attachment" in response["Content-Disposition"]


def test_erasing_oneself_asks_for_the_password(client, annie):
    client.force_login(annie)
    assert client.post(reverse("feedback:erase"), {"proof": "wrong"}).status_code == 422
    assert User.objects.get().is_active

    response = client.post(reverse("feedback:erase"), {"proof": PASSWORD})

    assert response["Location"] == "/login/"
    assert not User.objects.get().is_active
    assert client.get("/account/").status_code == 302


def test_who_has_no_password_types_their_name(client):
    user = user_create(username="sam")
    client.force_login(user)
    assert client.post(reverse("feedback:erase"), {"proof": "tom"}).status_code == 422
    assert client.post(reverse("feedback:erase"), {"proof": "sam"})["Location"] == "/login/"
