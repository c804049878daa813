import io

import pytest
from django.urls import reverse

from feedback.domain.protocol import DEFAULT_DIMENSIONS, Dimension, Editing, ProtocolKind, ProtocolOptions
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
    "max_overlap": "",
    "min_agreement": 0.6,
    "daily_cap": "",
    "gold_share": 0.1,
    "repeat_share": 0.05,
    "qualification_pass": 0.8,
    "kind": "rank",
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


def test_a_project_is_made_with_its_own_way_to_judge(client, example):
    client.force_login(example.admin)
    asked = {
        "kind": "pairwise",
        "editing": "may",
        "top_k": 3,
        "scale_0_name": "Tone of voice",
        "scale_0_low": "Rude",
        "scale_1_name": "\u6e05\u695a",
        "scale_1_points": 7,
        "masked_names": "Plumb\nBob\n",
        "warnings": "war: It tells of war.\n",
    }
    assert client.post(reverse("feedback:project_new"), PROJECT | asked).status_code == 303
    protocol = Project.objects.get(name="Letters").protocols.get()
    assert protocol.kind == ProtocolKind.PAIRWISE
    assert ProtocolOptions.from_json(protocol.options) == ProtocolOptions(
        dimensions=(
            Dimension("tone_of_voice", "Tone of voice", "Rude"),
            Dimension("scale_2", "\u6e05\u695a", points=7),
        ),
        editing=Editing.MAY,
        masked_names=("Plumb", "Bob"),
        warnings={"war": "It tells of war."},
    )  # a comparison has no best few


def test_rating_without_scales_asks_for_the_usual_three(ada, example):
    ada.post(url(example, "project_settings"), PROJECT | {"name": example.project.name, "kind": "rate"})
    options = ProtocolOptions.from_json(example.project.protocols.latest("number").options)
    assert options.dimensions == DEFAULT_DIMENSIONS


def test_saving_the_settings_as_they_are_makes_no_new_version(ada, example):
    form = ada.get(url(example, "project_settings")).context
    initial = {**form["form"].initial, **form["asked"].initial}
    fields = {name: "" if value is None else value for name, value in initial.items()}
    fields["guidelines"] = fields["guidelines"].replace("\n", "\r\n")  # as browsers send it
    ada.post(url(example, "project_settings"), fields)
    assert example.project.protocols.count() == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"scale_0_low": "Rude"}, "Scale 1 needs a name"),
        ({"scale_0_name": "A", "scale_1_name": "A"}, "Every scale needs a key of its own"),
        ({"scale_0_name": "A", "scale_0_key": "Not a key"}, "The key of a scale is a short word"),
        ({"scale_0_name": "A", "scale_0_points": 12}, "less than or equal to 11"),
        ({"warnings": "war"}, "a tag, a colon and a sentence"),
        ({"kind": "live", "live_sources": "one"}, "A live comparison has two sources"),
        ({"kind": "guess"}, "not one of the available choices"),
    ],
)
def test_a_way_to_judge_that_cannot_be_is_refused_with_the_reason(ada, example, asked, said):
    response = ada.post(url(example, "project_settings"), PROJECT | {"name": example.project.name} | asked, **HTMX)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert example.project.protocols.count() == 1


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
