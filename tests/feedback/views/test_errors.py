"""Pages for when something goes wrong, and for when somebody is no longer signed in."""

import pytest
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse

from tests.feedback.factories import UserFactory


@pytest.mark.parametrize("name", ["400.html", "500.html"])
def test_pages_for_broken_requests_need_no_request(name):
    page = get_template(name).render()
    assert "<h1>" in page
    assert " style=" not in page


@pytest.mark.django_db
def test_a_missing_page_says_so_in_our_own_words(client):
    client.force_login(UserFactory())
    response = client.get("/no-such-page/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_kindly():
    client = Client(enforce_csrf_checks=True)
    response = client.post(reverse("account:login"), {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert "open for too long" in response.content.decode()


@pytest.mark.django_db
def test_htmx_leads_to_sign_in_and_back_to_the_page_when_the_session_has_ended(client):
    headers = {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://testserver/projects/1/label/?a=b"}
    response = client.post("/projects/1/label/submit/", **headers)
    assert response["HX-Redirect"] == "/login/?next=%2Fprojects%2F1%2Flabel%2F%3Fa%3Db"
    headers["HTTP_HX_CURRENT_URL"] = "https://evil.example/"
    assert client.post("/projects/1/label/submit/", **headers)["HX-Redirect"] == "/login/?next=%2F"
