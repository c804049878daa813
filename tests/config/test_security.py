import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import BASE_DIR
from config.security import CONTENT_SECURITY_POLICY, require_safe_secret


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


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/login/", "/admin/login/", "/api/docs/", "/no-such-page"])
def test_every_answer_carries_the_policy(client, path):
    response = client.get(path)

    assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"


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
