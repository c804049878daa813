import datetime as dt

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from feedback.models import ApiToken
from tests.feedback.factories import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db
PROJECTS = "/api/v1/projects/"


def test_without_a_key_nothing_answers(project):
    for url in (PROJECTS, f"{PROJECTS}{project.pk}/preferences/"):
        answer = APIClient().get(url)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "not_authenticated"


def test_a_session_is_no_key(project):
    client = APIClient()
    client.force_login(project.created_by)

    assert client.get(PROJECTS).status_code == 401


def test_a_wrong_key_is_refused_in_the_common_shape():
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Token 0123456789abcdef")

    answer = client.get(PROJECTS)

    assert answer.status_code == 401
    assert answer.json() == {"error": {"code": "authentication_failed", "message": "Invalid token."}}


@pytest.mark.parametrize("key", ["zz", "\u00e4\u00f6", "0" * 5_000, "%s", "'"])
def test_a_key_of_any_letters_is_refused_in_the_common_shape(key):
    answer = APIClient().get(PROJECTS, HTTP_AUTHORIZATION=f"Token {key}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "authentication_failed")


def test_a_key_whose_time_is_over_is_refused(client_of):
    client = client_of(UserFactory())
    assert client.get(PROJECTS).status_code == 200

    ApiToken.objects.update(expiry=timezone.now() - dt.timedelta(seconds=1))

    assert client.get(PROJECTS).status_code == 401


def test_the_key_of_somebody_who_left_is_refused(client_of):
    user = UserFactory()
    client = client_of(user)
    user.is_active = False
    user.save()

    assert client.get(PROJECTS).status_code == 401


def test_only_a_hash_of_the_key_is_stored(client_of):
    client_of(UserFactory())

    token = ApiToken.objects.get()

    assert len(token.digest) == 128
    assert token.digest not in client_of(UserFactory())._credentials["HTTP_AUTHORIZATION"]


def test_the_last_use_is_noted_once_a_minute(client_of, django_assert_max_num_queries):
    client = client_of(UserFactory())
    client.get(PROJECTS)
    first = ApiToken.objects.get().last_used_at
    client.get(PROJECTS)
    assert ApiToken.objects.get().last_used_at == first

    ApiToken.objects.update(last_used_at=timezone.now() - dt.timedelta(minutes=2))
    client.get(PROJECTS)
    assert ApiToken.objects.get().last_used_at > first


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("post", "projects/{project}/claim/", "annotate"),
        ("post", "assignments/{assignment}/judgment/", "annotate"),
        ("post", "projects/{project}/prompts/", "prompts"),
        ("get", "projects/{project}/preferences/", "export"),
        ("get", "projects/{project}/judgments/", "export"),
    ],
)
def test_a_limited_key_does_only_what_its_scopes_say(client_of, project, method, path, scope):
    superuser = UserFactory(is_superuser=True)
    MembershipFactory(user=superuser, project=project)
    url = "/api/v1/" + path.format(project=project.pk, assignment=1)
    others = sorted({"annotate", "prompts", "export", "rounds"} - {scope})

    refused = getattr(client_of(superuser, *others), method)(url)
    passed = getattr(client_of(superuser, scope), method)(url)

    assert refused.status_code == 403
    assert refused.json()["error"] == {"code": "scope_missing", "message": f"This key lacks the scope {scope}."}
    assert passed.status_code != 403
