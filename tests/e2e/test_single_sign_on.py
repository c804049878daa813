"""Single sign-on in a real browser, through a provider that runs on this machine."""

import pytest
from playwright.sync_api import expect

from feedback.domain.states import Role
from feedback.models import Membership, User
from feedback.services.invitation import invitation_create
from tests.e2e.identity_provider import CLIENT, IdentityProvider

pytestmark = pytest.mark.looks


@pytest.fixture
def university(settings):
    provider = IdentityProvider()
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [{"provider_id": "sso", "name": "Uni", "settings": {"server_url": provider.url}, **CLIENT}],
        }
    }
    provider.person = {"sub": "42", "preferred_username": "mia", "name": "Mia Lee", "email": "mia@uni.example"}
    yield provider
    provider.close()


def test_a_stranger_gets_no_account(visit, example, university):
    visitor = visit()
    page = visitor.go("/login/")
    page.click("text=Sign in with Uni")
    expect(page.locator("h1")).to_have_text("An account needs an invitation")
    assert not User.objects.filter(username="mia").exists()


def test_who_is_invited_gets_an_account_and_comes_back_by_the_same_way(visit, example, university):
    _, token = invitation_create(project=example.project, role=Role.ANNOTATOR, by=example.admin)
    visitor = visit()
    page = visitor.go(f"/invitations/{token}/")
    page.click("text=I have an account")
    page.click("text=Sign in with Uni")
    expect(page.locator("h1")).to_contain_text("You are invited")
    page.click("text=Join")
    expect(page.locator("h1")).to_contain_text("Harbour town")
    membership = Membership.objects.get(user__username="mia")
    assert (membership.role, membership.user.get_full_name()) == (Role.ANNOTATOR, "Mia Lee")
    assert not membership.user.has_usable_password()
    assert visitor.complaints == []

    page = visit().go("/login/?next=/account/")
    page.click("text=Sign in with Uni")
    expect(page.locator("h1")).to_have_text("Account")
    assert User.objects.filter(username__startswith="mia").count() == 1


def test_somebody_with_an_account_connects_it(visit, example, university):
    page = visit("annie").go("/account/")
    page.click("text=Single sign-on")
    page.click("text=Connect Uni")
    expect(page.locator("main")).to_contain_text("You can sign in through")

    page = visit().go("/login/")
    page.click("text=Sign in with Uni")
    expect(page.locator("h1")).to_have_text("Projects")
    expect(page.locator(".masthead")).to_contain_text("annie")


def test_the_same_address_elsewhere_is_not_the_same_person(visit, example, university):
    User.objects.filter(username="ada").update(email="mia@uni.example")
    _, token = invitation_create(project=example.project, role=Role.ANNOTATOR, by=example.admin)
    page = visit().go(f"/invitations/{token}/")
    page.click("text=I have an account")
    page.click("text=Sign in with Uni")
    expect(page.locator("form").first).to_be_visible()
    expect(page.locator(".masthead")).not_to_contain_text("ada")
