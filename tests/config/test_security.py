import os
import re
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import URLResolver, get_resolver

from config.environment import BASE_DIR
from config.security import CONTENT_SECURITY_POLICY, HEADERS, SecurityHeadersMiddleware, require_safe_secret
from tests.feedback.factories import UserFactory


@pytest.mark.parametrize(
    "key",
    [
        "",
        "short",
        "insecure-none-was-set",
        "x" * 50,
        "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz",
        "changeme" * 8,
    ],
)
def test_a_default_or_weak_secret_is_refused(settings, key):
    settings.DEBUG = False
    settings.SECRET_KEY = key

    with pytest.raises(ImproperlyConfigured):
        require_safe_secret()


def test_a_random_secret_is_accepted(settings):
    settings.SECRET_KEY = "vJ3kq0s8Zr1yXcT5bNfW7uLhEa2oPmD9iGgQxKtRjUw"
    require_safe_secret()


@pytest.mark.parametrize("module", ["config.wsgi", "config.celery"])
def test_servers_and_workers_do_not_start_without_a_secret(module, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "SECRET_KEY"}
    environment |= {"PLUMBLINE_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    start = {
        "config.wsgi": "import config.wsgi",
        "config.celery": "from config.celery import app; app.Worker().on_before_init()",
    }

    done = subprocess.run(
        [sys.executable, "-c", start[module]],
        env=environment,
        capture_output=True,
        text=True,
        cwd=BASE_DIR,
        check=False,
    )

    assert done.returncode != 0
    assert "SECRET_KEY" in done.stderr


HARDENED = {
    **HEADERS,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def _routes(resolver=None, prefix=""):
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern, route)
        else:
            yield route


def _filled(route):
    """Put something into a route's open places; no object needs to be there."""
    route = re.sub(r"\(\?P<\w+>[^)]*\)|<int:\w+>", "1", route)
    return "/" + re.sub(r"[\\^$]", "", re.sub(r"<[^>]*>", "x", route))


@pytest.mark.django_db
@pytest.mark.parametrize("is_root", [True, False], ids=["root", "nobody"])
def test_every_url_answers_with_all_headers_whatever_the_method(client, is_root):
    if is_root:
        client.force_login(UserFactory(is_staff=True, is_superuser=True))
    client.raise_request_exception = False
    weak = {}
    for route in {*map(_filled, _routes()), "/no-such-page/", "/static/css/base.css", "/static/nothing.css"}:
        for method in ("get", "post") if is_root else ("get",):
            response = getattr(client, method)(route)
            lacking = {name for name, value in HARDENED.items() if response.get(name) != value}
            if lacking or "Server" in response:
                weak[method, route] = lacking
    assert weak == {}


def test_a_view_cannot_weaken_the_policy():
    def view(_request):
        return HttpResponse(headers={"Content-Security-Policy": "default-src *"})

    response = SecurityHeadersMiddleware(view)(RequestFactory().get("/"))
    assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


@pytest.mark.django_db
def test_a_refused_host_and_an_error_of_ours_carry_the_policy_too(client, monkeypatch):
    assert client.get("/login/", HTTP_HOST="evil.example")["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    monkeypatch.setattr("config.health.connection", None)
    client.raise_request_exception = False
    assert client.get("/healthz")["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_the_policy_allows_nothing_inline_and_nobody_to_frame_us():
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    for directive in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert directive in CONTENT_SECURITY_POLICY


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login/", "/api/docs/"])
def test_pages_that_the_policy_covers_have_nothing_inline(client, path):
    html = client.get(path).content.decode()

    assert "<style" not in html
    assert " style=" not in html
    assert " onclick=" not in html
    assert "<script>" not in html


def test_the_broker_never_unpickles(settings):
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    assert settings.CELERY_TASK_SERIALIZER == "json"
    assert settings.CELERY_RESULT_BACKEND is None
