"""Whoever is turned down reads why in their own language; what is stored of it stays in one."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import translation
from rest_framework.test import APIClient

import alignment.domain.errors
import feedback.domain.errors
from alignment.domain.states import RoundState
from alignment.models import Round
from alignment.services.advance import round_advance
from alignment.services.round import round_cancel
from feedback.domain.errors import RankError
from feedback.domain.ranking import validate_ranks
from feedback.domain.states import AssignmentState, BatchState, Role
from feedback.services.person import token_create
from feedback.services.transition import transition_log
from tests.alignment.factories import BuildRoundFactory, DeploymentFactory, RoundFactory
from tests.feedback.factories import (
    AssignmentFactory,
    BatchFactory,
    MembershipFactory,
    ProjectFactory,
    TaskFactory,
    UserFactory,
)

BASE = Path(settings.BASE_DIR)
ERRORS = (feedback.domain.errors, alignment.domain.errors)
REFUSALS = {"IllegalTransition", "ApiPermissionDenied", "ValidationError"} | {
    name for module in ERRORS for name in vars(module) if name[0].isupper()
}
"""Errors whose message is read by whoever is turned down."""
CHECKS = {"check_text", "check_messages"}
"""They begin a refusal with the name of what is wrong."""


@pytest.fixture(autouse=True)
def _english_afterwards():
    with translation.override("en"):
        yield


@pytest.fixture
def project(db):
    return ProjectFactory(name="Letters")


def client_of(user):
    _, key = token_create(user=user, name="test")
    client = APIClient(headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.5"})
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return client


def is_english(call):
    """Whether a refusal says something as it stands in the source: a text, or an f-string that is more than values."""
    name = getattr(call.func, "id", "")
    if name in CHECKS and len(call.args) > 1:  # names of fields are the same in every language
        return isinstance(call.args[1], ast.Constant) and " " in call.args[1].value
    if name not in REFUSALS or not call.args:
        return False
    message = call.args[0]
    parts = message.values if isinstance(message, ast.JoinedStr) else [message]
    texts = [part.value for part in parts if isinstance(part, ast.Constant)]
    return any(isinstance(text, str) and re.search("[a-z]", text) for text in texts)


def test_no_refusal_is_written_in_english_alone():
    bare = [
        f"{path.relative_to(BASE)}:{node.lineno}"
        for room in ("feedback", "alignment")
        for path in sorted((BASE / room).rglob("*.py"))
        if "policies" not in path.parts  # what a server said is stored, and read by whoever runs the site
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and is_english(node)
    ]
    assert bare == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("prompts/", [{"answer": "Because."}], "没有提示"),
        ("prompts/", [{"prompt": " "}], "prompt是空的"),
        ("prompts/", [{"prompt": "Why?", "tags": 3}], "tags 必须是至多 50 个文本的列表"),
        ("rounds/", {}, "这个项目没有轮次"),
        ("rounds/", {"gate": {"max_drop": 2.0}}, "gate.max_drop 必须在 [0, 1] 之内"),
        ("rounds/", {"reference": "previous"}, "start 必须是 'continue'"),
    ],
)
def test_the_api_refuses_an_admin_in_the_language_of_the_call(project, path, body, says):
    client = client_of(MembershipFactory(project=project, role=Role.ADMIN).user)

    answer = client.post(f"/api/v1/projects/{project.pk}/{path}", body, format="json")

    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"ranks": {"A": 1, "B": 2}}, "请给字母 A, B, C 各一个名次"),
        ({"ranks": {"A": 2, "B": 3, "C": 4}}, "名次从 1 开始"),
        ({"ranks": {"A": 1, "B": 2, "C": 3}, "strength": 1}, "只有两个回答的比较才有 strength。"),
        ({"ranks": {"A": 1, "B": 2, "C": 3}, "edited_answer": "Mine."}, "这个任务不要求改进回答。"),
    ],
)
def test_the_api_refuses_an_annotator_in_the_language_of_the_call(project, said, says):
    TaskFactory(project=project, n_answers=3)
    client = client_of(MembershipFactory(project=project).user)
    claimed = client.post(f"/api/v1/projects/{project.pk}/claim/").json()
    url = f"/api/v1/assignments/{claimed['assignment_id']}/judgment/"

    answer = client.post(url, {"client_key": claimed["client_key"], **said}, format="json")

    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


@pytest.mark.django_db
def test_a_key_without_the_scope_and_a_call_that_is_too_large_are_refused_in_the_language_of_the_call(project):
    user = MembershipFactory(project=project, role=Role.ADMIN).user
    _, key = token_create(user=user, name="test", scopes=["export"])
    client = client_of(user)
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")

    lacking = client.post(f"/api/v1/projects/{project.pk}/rounds/", {}, format="json")
    too_large = client.post(f"/api/v1/projects/{project.pk}/rounds/", {"seed": "1" * 2**20}, format="json")

    assert lacking.json()["error"]["message"] == "这个密钥没有权限 rounds。"
    assert "最多接受 1 MB" in too_large.json()["error"]["message"]


@pytest.mark.django_db
def test_a_page_refuses_in_the_language_of_its_reader(client, project):
    admin = MembershipFactory(project=project, role=Role.ADMIN, user=UserFactory(language="zh-hans")).user
    client.force_login(admin)

    page = client.post(
        reverse("feedback:member_remove", args=[project.pk]),
        {"username": admin.username, "role": Role.ADMIN},
        follow=True,
    ).content.decode()

    assert f"{admin} 是 Letters 唯一的管理员" in page


@pytest.mark.parametrize(("ranks", "says"), [([1], "1 rank was given."), ([1, 2], "2 ranks were given.")])
def test_a_number_decides_the_word(ranks, says):
    with pytest.raises(RankError, match=says):
        validate_ranks(ranks, 3)


@pytest.mark.django_db
def test_what_is_stored_of_a_refusal_is_in_one_language_whoever_caused_it(project):
    BuildRoundFactory(project=project)
    DeploymentFactory(project=project)
    round_ = RoundFactory(project=project, number=1, state=RoundState.LABELING)
    admin = MembershipFactory(project=project, role=Role.ADMIN).user

    with translation.override("zh-hans"):
        round_cancel(round=round_, by=admin)

    following = Round.objects.get(project=project, number=2)
    assert following.waiting_for == "Letters has no prompts to rank; add some first."


@pytest.mark.django_db
def test_what_keeps_a_round_waiting_is_read_in_the_readers_language(client, project):
    admin = MembershipFactory(project=project, role=Role.ADMIN, user=UserFactory(language="zh-hans")).user
    batch = BatchFactory(project=project, state=BatchState.FAILED)
    round_ = RoundFactory(project=project, state=RoundState.SAMPLING, batch=batch)
    round_advance(round_id=round_.pk)
    client.force_login(admin)

    for path in ("", f"{round_.number}/"):
        page = client.get(f"/projects/{project.pk}/rounds/{path}").content.decode()
        assert "每个提示的回答都相同" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "reason", "says"),
    [
        (AssignmentState.RELEASED, "expertise: <b>rockets</b>", ": &lt;b&gt;rockets&lt;/b&gt;"),
        (AssignmentState.EXPIRED, "the lease ran out", "租约到期"),
    ],
)
def test_why_a_task_came_back_is_read_in_the_readers_language(client, project, state, reason, says):
    admin = MembershipFactory(project=project, role=Role.ADMIN, user=UserFactory(language="zh-hans")).user
    assignment = AssignmentFactory(task__project=project, state=state)
    transition_log(obj=assignment, from_state=AssignmentState.HELD, to_state=state, reason=reason)
    client.force_login(admin)

    page = client.get(reverse("feedback:task_history", args=[project.pk, assignment.task_id])).content.decode()

    assert says in page
    assert "expertise" not in page
