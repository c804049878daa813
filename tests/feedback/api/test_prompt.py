import gc
import io
import json
import warnings

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from feedback.models import Prompt
from tests.feedback.factories import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(project):
    return f"/api/v1/projects/{project.pk}/prompts/"


@pytest.fixture
def client(client_of, project):
    return client_of(MembershipFactory(project=project, role="admin").user)


def test_a_json_list_is_added(client, url, project):
    rows = [{"prompt": "Why?"}, {"messages": [{"role": "user", "content": "Why not?"}], "id": "b"}, "Whither?"]

    answer = client.post(url, rows, format="json")

    assert (answer.status_code, answer.json()) == (201, {"n_added": 3, "n_known": 0})
    assert client.post(url, rows, format="json").json() == {"n_added": 0, "n_known": 3}
    assert project.prompts.count() == 3


def test_a_file_is_added(client, url):
    file = SimpleUploadedFile("questions.txt", b"Why?\nWhy not?\n")

    answer = client.post(url, {"file": file}, format="multipart")

    assert (answer.status_code, answer.json()["n_added"]) == (201, 2)


def test_a_bad_row_refuses_the_whole_list_with_its_line(client, url):
    body = json.dumps([{"prompt": "Why?"}, {"answer": "Because."}], indent=0)

    answer = client.post(url, body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "upload_refused"
    assert answer.json()["error"]["line"] == 5
    assert not Prompt.objects.exists()


def test_an_empty_body_is_refused(client, url):
    answer = client.post(url, b"", content_type="application/json")

    assert answer.status_code == 400
    assert "Content-Length" in answer.json()["error"]["message"]


def test_a_list_in_another_form_is_refused(client, url):
    answer = client.post(url, "<prompt/>", content_type="text/xml")

    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_media_type"


def test_a_form_without_a_file_says_which_field(client, url):
    answer = client.post(url, {"other": "x"}, format="multipart")

    assert answer.status_code == 400
    assert "field named file" in answer.json()["error"]["message"]


def test_a_body_that_announces_200_mb_is_refused_unread(client, url):
    class Unread(io.RawIOBase):
        def readinto(self, buffer):
            raise AssertionError("the body was read")

    answer = client.generic(
        "POST", url, b"", content_type="application/json", CONTENT_LENGTH=200 * 2**20, **{"wsgi.input": Unread()}
    )

    assert answer.status_code == 413
    assert "50 MB" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("rows", "max_bytes", "status"), [(["Why?"], 100, 201), ([{}], 100, 400), (["Why?"], 1, 413)])
def test_a_body_that_became_a_file_is_closed(client, url, monkeypatch, rows, max_bytes, status):
    monkeypatch.setattr("feedback.api.prompt.MAX_BYTES", max_bytes)
    gc.collect()  # what other tests left behind

    with warnings.catch_warnings(record=True, action="always") as warned:
        assert client.post(url, rows, format="json").status_code == status
        gc.collect()

    assert not [str(warning.message) for warning in warned if "Unclosed file" in str(warning.message)]


def test_only_admins_add_prompts(client_of, project, url):
    for role in ("annotator", "researcher"):
        member = client_of(MembershipFactory(project=project, role=role).user)
        assert member.post(url, ["Why?"], format="json").status_code == 403
    assert client_of(UserFactory()).post(url, ["Why?"], format="json").status_code == 404
    assert not Prompt.objects.exists()
