"""Whose language a page is in: the person's own, else the cookie's, else the browser's; switched by a plain form."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from tests.feedback.factories import UserFactory

pytestmark = pytest.mark.django_db
CHINESE = {"HTTP_ACCEPT_LANGUAGE": "zh-CN,zh;q=0.9,en;q=0.5"}


@pytest.fixture(autouse=True)
def _english_afterwards():
    with translation.override("en"):
        yield


def language_of(response):
    return response.content.decode().split('<html lang="')[1].split('"')[0]


def test_the_browsers_language_is_taken_where_nobody_chose():

    assert language_of(Client().get("/login/")) == "en"
    assert language_of(Client().get("/login/", **CHINESE)) == "zh-hans"
    assert language_of(Client().get("/login/", HTTP_ACCEPT_LANGUAGE="fr")) == "en"


def test_who_is_not_signed_in_switches_by_a_form_and_comes_back_to_the_page(client):
    response = client.post(reverse("account:language"), {"language": "zh-hans", "next": "/login/?next=/projects/1/"})
    assert (response.status_code, response["Location"]) == (302, "/login/?next=/projects/1/")
    page = client.get("/login/", HTTP_ACCEPT_LANGUAGE="en")
    assert language_of(page) == "zh-hans"
    assert page["Content-Language"] == "zh-hans"
    assert 'name="language"' in page.content.decode()


def test_a_persons_own_language_goes_before_the_cookie_and_the_browser(client):
    user = UserFactory(language="en")
    client.force_login(user)
    client.cookies["plumbline_language"] = "zh-hans"
    assert language_of(client.get("/", **CHINESE)) == "en"
    client.post(reverse("account:language"), {"language": "zh-hans"})
    user.refresh_from_db()
    assert user.language == "zh-hans"
    assert language_of(client.get("/", HTTP_ACCEPT_LANGUAGE="en")) == "zh-hans"


def test_a_language_that_we_do_not_speak_is_refused(client):
    user = UserFactory()
    client.force_login(user)
    assert client.post(reverse("account:language"), {"language": "<b>xx"}).status_code == 422
    user.refresh_from_db()
    assert user.language == ""


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_the_switch_leads_to_no_other_site(client, to):
    response = client.post(reverse("account:language"), {"language": "en", "next": to})
    assert response["Location"] == "/"


def test_error_pages_speak_the_language_too(client):
    client.force_login(UserFactory(language="zh-hans"))
    assert language_of(client.get("/no-such-page/")) == "zh-hans"
