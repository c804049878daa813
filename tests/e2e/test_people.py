"""Accounts in a real browser: signing in, invitations, the second factor, announcements."""

import base64
import hashlib
import hmac
import re
import struct
import time

import pytest
from django.core import mail
from django.core.cache import cache
from playwright.sync_api import expect

from feedback.domain.states import Role
from feedback.models import Membership, User
from feedback.services.announcement import announcement_create
from feedback.services.invitation import invitation_create
from tests.e2e.conftest import PHONE, WIDE
from tests.example import PASSWORD

pytestmark = pytest.mark.looks

SIZES = pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "390"])
SCRIPTS = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])
NEW_PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_earlier_attempts():
    cache.clear()


def totp(secret, at=None):
    """Return the code of an authenticator app. Source: RFC 6238, with SHA-1, 30 s and 6 digits."""
    counter = struct.pack(">Q", int((at or time.time()) // 30))
    digest = hmac.new(base64.b32decode(secret), counter, hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


def test_the_code_is_that_of_the_standard():
    secret = base64.b32encode(b"12345678901234567890")
    assert [totp(secret, at) for at in (59, 1111111109, 20000000000)] == ["287082", "081804", "353130"]


def confirm(page):
    """Type the password once more, before something about the account is changed."""
    expect(page.locator("h1")).to_have_text("Is it you?")
    page.fill("#id_password", PASSWORD)
    page.click("main button.primary")


def is_clean(visitor):
    return visitor.serious_barriers() == [] and not visitor.scrolls_sideways() and visitor.complaints == []


@SIZES
@SCRIPTS
def test_signing_in_and_out(visit, example, viewport, has_scripts):
    visitor = visit(viewport=viewport, java_script_enabled=has_scripts)
    page = visitor.go("/account/")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.keyboard.press("Tab")
    page.fill("#id_login", "annie")
    page.fill("#id_password", "wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not correct")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Account")  # back to where one wanted to go
    page.click("form[action='/logout/'] button")
    expect(page.locator("h1")).to_have_text("Sign in")
    page.goto(f"{visitor.root}/account/")
    expect(page.locator("h1")).to_have_text("Sign in")


def test_a_forgotten_password(visit, example):
    User.objects.filter(username="annie").update(email="annie@example.org")
    visitor = visit()
    page = visitor.go("/login/")
    page.click("text=Forgot your password?")
    page.fill("#id_email", "annie@example.org")
    page.click("main button.primary")
    expect(page.locator("h1")).to_have_text("Look into your mail")
    page.goto(re.search(r"http://\S+", mail.outbox[0].body)[0])
    page.fill("#id_password1", NEW_PASSWORD)
    page.fill("#id_password2", NEW_PASSWORD)
    page.click("main button.primary")
    page.click("main >> text=Sign in")
    page.fill("#id_login", "annie")
    page.fill("#id_password", NEW_PASSWORD)
    page.click("main button.primary")
    page.wait_for_url(f"{visitor.root}/")


@SIZES
@SCRIPTS
def test_an_invitation_makes_an_account_and_works_once(visit, example, viewport, has_scripts):
    ada = visit("ada", viewport=viewport, java_script_enabled=has_scripts)
    page = ada.go(f"/projects/{example.project.pk}/members/")
    page.fill("#id_invite-email", "mia@example.org")
    page.click("text=Make a link")
    link = page.locator("#invitation-link").inner_text()
    expect(page.locator("#members")).to_contain_text("mia@example.org")

    mia = visit(viewport=viewport, java_script_enabled=has_scripts)
    page = mia.page
    page.goto(link)
    expect(page.locator("h1")).to_contain_text("You are invited to Harbour town")
    page.fill("#id_username", "annie")
    page.fill("#id_password", NEW_PASSWORD)
    page.click("main button.primary")
    expect(page.get_by_role("alert")).to_contain_text("There is a user annie already")
    page.fill("#id_username", "mia")
    page.fill("#id_password", NEW_PASSWORD)
    page.click("main button.primary")
    expect(page.locator("h1")).to_contain_text("Harbour town")
    assert Membership.objects.get(user__username="mia").role == Role.ANNOTATOR

    other = visit(viewport=viewport)
    other.page.goto(link)
    expect(other.page.locator("h1")).to_have_text("This invitation does not work")


@SCRIPTS
def test_somebody_with_an_account_signs_in_and_joins(visit, example, has_scripts):
    _, token = invitation_create(project=example.project, role=Role.RESEARCHER, by=example.admin)
    page = visit(java_script_enabled=has_scripts).go(f"/invitations/{token}/")
    page.click("text=I have an account")
    page.fill("#id_login", "stranger")
    page.fill("#id_password", PASSWORD)
    page.click("main button.primary")
    page.click("text=Join")
    expect(page.locator("h1")).to_contain_text("Harbour town")
    expect(page.locator(".tabs")).to_contain_text("Data")


@SIZES
@SCRIPTS
def test_a_second_factor_is_turned_on_asked_for_and_replaced_by_a_recovery_code(visit, example, viewport, has_scripts):
    annie = visit("annie", viewport=viewport, java_script_enabled=has_scripts)
    page = annie.go("/account/")
    page.click("text=Second factor")
    page.click("text=Turn it on")
    confirm(page)
    secret = page.locator("#totp-secret").inner_text()
    assert page.locator(".qr").evaluate("image => image.naturalWidth") > 0
    page.fill("#id_code", "000000")
    page.click("main button.primary")
    expect(page.locator(".errorlist")).to_be_visible()
    page.fill("#id_code", totp(secret))
    page.click("main button.primary")
    codes = page.locator("#recovery-codes code").all_inner_texts()
    assert len(set(codes)) == 10

    def second_step():
        visitor = visit(viewport=viewport, java_script_enabled=has_scripts)
        page = visitor.go("/login/")
        page.fill("#id_login", "annie")
        page.fill("#id_password", PASSWORD)
        page.click("main button.primary")
        expect(page.locator("h1")).to_have_text("Your second factor")
        return page

    page = second_step()
    page.goto(page.url.replace("/account/second-factor/sign-in/", "/account/"))
    expect(page.locator("h1")).to_have_text("Your second factor")  # the password alone opens nothing

    page = second_step()
    page.fill("#id_code", codes[0])
    page.click("main button.primary")
    expect(page.locator("h1")).to_have_text("Projects")

    page = second_step()
    page.fill("#id_code", codes[0])
    page.click("main button.primary")
    expect(page.locator(".errorlist")).to_be_visible()  # each code works once


def test_the_secret_of_a_second_factor_is_encrypted_where_it_lies(visit, example):
    page = visit("annie").go("/account/second-factor/app/")
    confirm(page)
    secret = page.locator("#totp-secret").inner_text()
    page.fill("#id_code", totp(secret))
    page.click("main button.primary")
    expect(page.locator("#recovery-codes")).to_be_visible()
    stored = example.annotator.authenticator_set.get(type="totp").data["secret"]
    assert secret not in stored


@SIZES
@SCRIPTS
def test_an_announcement_stands_above_the_task_until_it_is_read(visit, example, viewport, has_scripts):
    announcement_create(project=example.project, text="Tea at **four**.", by=example.admin)
    annie = visit("annie", viewport=viewport, java_script_enabled=has_scripts)
    page = annie.go(f"/projects/{example.project.pk}/label/")
    expect(page.locator("#announcements strong")).to_have_text("four")
    page.click("text=I have read it")
    expect(page.locator("#announcements strong")).to_have_count(0)
    expect(page.locator("#comparison")).to_be_visible()
    page.reload()
    expect(page.locator("#announcements strong")).to_have_count(0)


def test_erasing_oneself(visit, example):
    page = visit("annie").go("/account/")
    with page.expect_download() as download:
        page.click("text=Download all that is held about you")
    assert '"username": "annie"' in download.value.path().read_text()
    page.click("text=Erase my account")
    page.fill("#id_proof", PASSWORD)
    page.click("text=Erase my account for ever")
    expect(page.locator("h1")).to_have_text("Sign in")
    assert not User.objects.filter(username="annie").exists()


@pytest.mark.parametrize(("viewport", "theme"), [(WIDE, "light"), (PHONE, "dark")], ids=["1280-light", "390-dark"])
def test_no_step_to_a_second_factor_has_a_barrier(visit, example, viewport, theme):
    ada = visit("ada", viewport=viewport, color_scheme=theme)
    confirm(ada.go("/account/second-factor/app/"))
    expect(ada.page.locator(".qr")).to_be_visible()
    assert is_clean(ada)
    ada.page.fill("#id_code", totp(ada.page.locator("#totp-secret").inner_text()))
    ada.page.click("main button.primary")
    expect(ada.page.locator("#recovery-codes")).to_be_visible()
    assert is_clean(ada)
