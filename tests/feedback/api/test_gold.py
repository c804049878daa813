import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from feedback.models import Gold
from tests.feedback.factories import MembershipFactory, UserFactory

pytestmark = pytest.mark.django_db

ROW = {"prompt": "What is 2 + 2?", "answers": ["5", "4"], "ranks": [2, 1], "purpose": "training"}


@pytest.fixture
def url(project):
    return f"/api/v1/projects/{project.pk}/known-answers/"


@pytest.fixture
def client(client_of, project):
    return client_of(MembershipFactory(project=project, role="admin").user)


def test_a_json_list_is_added_once(client, url):
    answer = client.post(url, [ROW], format="json")
    assert (answer.status_code, answer.json()) == (201, {"n_added": 1, "n_known": 0})
    assert client.post(url, [ROW], format="json").json() == {"n_added": 0, "n_known": 1}
    assert Gold.objects.get().task.purpose == "training"


def test_a_file_is_added(client, url):
    file = SimpleUploadedFile("known.jsonl", json.dumps(ROW).encode())
    assert client.post(url, {"file": file}, format="multipart").status_code == 201
    assert Gold.objects.count() == 1


def test_a_mistake_refuses_the_whole_list_with_its_line(client, url):
    body = json.dumps([ROW]).replace("[2, 1]", "[1, 1]")
    answer = client.post(url, body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["line"]) == (400, 1)
    assert not Gold.objects.exists()


def test_only_admins_with_the_scope_add_known_answers(client_of, project, url):
    admin = MembershipFactory(project=project, role="admin").user
    assert client_of(admin, "prompts").post(url, [ROW], format="json").status_code == 201
    assert client_of(admin, "annotate").post(url, [ROW], format="json").status_code == 403
    for role in ("annotator", "researcher", "adjudicator"):
        user = MembershipFactory(project=project, role=role).user
        assert client_of(user).post(url, [ROW], format="json").status_code == 403
    assert client_of(UserFactory()).post(url, [ROW], format="json").status_code == 404
