import io

import pytest
from django.urls import reverse

from feedback.domain.states import Role
from feedback.models import ApiToken, Membership, Project, Prompt
from tests.example import example_project
from tests.feedback.factories import UserFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
PROJECT = {
    "name": "Letters",
    "description": "",
    "guidelines": "Be kind.",
    "overlap": 2,
    "lease_s": 600,
    "answers_per_task": 3,
    "prompts_per_batch": 50,
}


@pytest.fixture
def example():
    return example_project(n_tasks=1)


@pytest.fixture
def ada(client, example):
    client.force_login(example.admin)
    return client


def url(example, name):
    return reverse(f"feedback:{name}", args=[example.project.pk])


def upload(client, example, content, filename="prompts.jsonl", **headers):
    file = io.BytesIO(content)
    file.name = filename
    return client.post(url(example, "prompts"), {"file": file}, **headers)


def test_people_see_their_own_projects_and_what_waits_for_them(client, example):
    client.force_login(example.annotator)
    page = client.get("/").content.decode()
    assert "Harbour town" in page
    assert "1 task left" in page
    client.force_login(example.stranger)
    assert "Harbour town" not in client.get("/").content.decode()


def test_a_project_is_made_by_staff_alone(client, example):
    client.force_login(example.annotator)
    assert client.post(reverse("feedback:project_new"), PROJECT).status_code == 403
    client.force_login(example.admin)
    response = client.post(reverse("feedback:project_new"), PROJECT)
    project = Project.objects.get(name="Letters")
    assert response["Location"] == reverse("feedback:project", args=[project.pk])
    assert project.protocols.get().guidelines == "Be kind."
    assert Membership.objects.get(project=project).role == Role.ADMIN


def test_a_value_out_of_range_is_refused_beside_its_field(ada, example):
    response = ada.post(reverse("feedback:project_new"), PROJECT | {"answers_per_task": 10}, **HTMX)
    assert response.status_code == 422
    assert "less than or equal to 9" in response.content.decode()
    assert not Project.objects.filter(name="Letters").exists()


def test_changed_guidelines_become_a_new_version(ada, example):
    ada.post(url(example, "project_settings"), PROJECT | {"name": example.project.name, "guidelines": "New."})
    assert [protocol.guidelines for protocol in example.project.protocols.order_by("number")][1:] == ["New."]


def test_a_refused_name_leaves_the_heading_as_it_was(ada, example):
    Project.objects.create(name="Taken", created_by=example.admin)
    response = ada.post(url(example, "project_settings"), PROJECT | {"name": "Taken"})
    assert response.status_code == 422
    assert response.context["project"].name == "Harbour town"


def test_prompts_are_added_and_counted(ada, example):
    response = upload(ada, example, b'{"prompt": "New?"}\n{"prompt": "New?"}\n', **HTMX)
    assert "1 added, 1 were there already" in response.content.decode()
    assert Prompt.objects.filter(project=example.project, messages__0__content="New?").count() == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b'{"prompt": "a"}\n' * 6 + b"{broken\n", "Line 7"),
        (b'{"answer": "a"}\n', "Line 1"),
    ],
)
def test_a_bad_file_is_refused_whole_with_line_and_reason(ada, example, content, said):
    before = Prompt.objects.count()
    response = upload(ada, example, content, **HTMX)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert Prompt.objects.count() == before


def test_a_member_is_added_by_name_and_removed(ada, example):
    user = UserFactory(username="mia")
    ada.post(url(example, "members"), {"username": "mia", "role": "annotator"}, **HTMX)
    assert Membership.objects.get(project=example.project, user=user).is_active
    ada.post(url(example, "member_remove"), {"username": "mia", "role": "annotator"}, **HTMX)
    assert not Membership.objects.get(project=example.project, user=user).is_active


def test_an_unknown_name_is_said_beside_the_field(ada, example):
    response = ada.post(url(example, "members"), {"username": "nobody", "role": "annotator"}, **HTMX)
    assert response.status_code == 422
    assert "There is no user of that name." in response.content.decode()


def test_the_last_admin_stays(ada, example):
    response = ada.post(url(example, "member_remove"), {"username": "ada", "role": "admin"}, follow=True)
    assert "only admin" in response.content.decode()
    assert Membership.objects.get(user=example.admin).is_active


def test_a_key_is_shown_once(ada, example):
    response = ada.post(reverse("account:tokens"), {"name": "laptop", "scopes": ["export"]})
    clear_text = response.context["clear_text"]
    assert clear_text in response.content.decode()
    assert clear_text not in ada.get(reverse("account:tokens")).content.decode()
    assert ApiToken.objects.get().scopes == ["export"]


def test_nobody_revokes_the_key_of_somebody_else(client, example):
    client.force_login(example.admin)
    client.post(reverse("account:tokens"), {"name": "laptop"})
    token = ApiToken.objects.get()
    client.force_login(example.stranger)
    client.post(reverse("account:token_revoke"), {"digest": token.digest})
    assert ApiToken.objects.filter(pk=token.pk).exists()
    client.force_login(example.admin)
    client.post(reverse("account:token_revoke"), {"digest": token.digest})
    assert not ApiToken.objects.exists()


def test_the_theme_is_taken_from_the_cookie_and_nothing_else_is(client):
    client.cookies["theme"] = "dark"
    assert b'data-theme="dark"' in client.get(reverse("account:login")).content
    client.cookies["theme"] = '"><script>'
    assert b'data-theme="' not in client.get(reverse("account:login")).content


def test_no_page_has_an_inline_script_or_style(client, example):
    client.force_login(example.admin)
    for name in ("project", "prompts", "members", "data", "project_settings"):
        page = client.get(url(example, name)).content.decode()
        assert " style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
