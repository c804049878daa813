import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from feedback.domain.states import Role, TaskPurpose
from feedback.models import Gold
from tests.feedback.factories import GoldFactory, JudgmentFactory, MembershipFactory, ProjectFactory, TaskFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
ROW = {"prompt": "What is 2 + 2?", "answers": ["5", "4"], "ranks": [2, 1]}


@pytest.fixture
def project(client):
    project = ProjectFactory()
    client.force_login(MembershipFactory(project=project, role=Role.ADMIN).user)
    return project


def url(project, name="gold", *arguments):
    return reverse(f"feedback:{name}", args=[project.pk, *arguments])


def file_of(*rows):
    return SimpleUploadedFile("known.jsonl", "\n".join(json.dumps(row) for row in rows).encode())


def test_the_list_says_what_each_is_for_and_how_many_got_it_right(client, project):
    gold = GoldFactory(task__project=project, task__prompt__text="What is 2 + 2?")
    JudgmentFactory(assignment__task=gold.task, ranks=[1, 2])
    JudgmentFactory(assignment__task=gold.task, ranks=[2, 1])
    GoldFactory(task__project=project, task__purpose=TaskPurpose.TRAINING, retired_at=gold.created_at)

    page = client.get(url(project)).content.decode()

    assert "What is 2 + 2?" in page
    assert f"task {gold.task_id}" in page
    assert "1 of 2 people got it right" in page
    assert "judged by nobody yet" in page
    assert page.count(">Retire<") == page.count(">Bring back<") == 1


def test_a_file_is_taken_whole(client, project):
    answer = client.post(url(project), {"file": file_of(ROW, {**ROW, "prompt": "Again?"})})
    assert answer.status_code == 303
    assert Gold.objects.count() == 2
    part = client.post(url(project), {"file": file_of(ROW)}, **HTMX)
    assert "0 added, 1 were there already." in part.content.decode()
    assert 'id="golds"' in part.content.decode()


def test_a_file_with_a_mistake_is_refused_with_its_line(client, project):
    answer = client.post(url(project), {"file": file_of(ROW, {**ROW, "ranks": [1, 1]})})
    assert answer.status_code == 422
    assert "Line 2: In a known answer at least one answer is better" in answer.content.decode()
    assert not Gold.objects.exists()
    assert client.post(url(project), {}).status_code == 422


def test_the_order_of_a_task_is_entered_by_letters_that_stay(client, project):
    task = TaskFactory(project=project, n_answers=3)
    new = f"{url(project, 'gold_new')}?task={task.pk}"
    texts = [item.response.text for item in task.items.order_by("item")]
    shown = client.get(new).context["answers"]
    assert [(one["answer"].letter, one["answer"].text) for one in shown] == list(zip("ABC", texts, strict=True))

    form = {"rank_A": "2", "rank_B": "1", "rank_C": "2", "purpose": "qualification", "tolerance": "0.25"}
    assert client.post(new, {**form, "explanation": "a\r\nb"}).status_code == 303
    gold = Gold.objects.get()
    assert (gold.ranks, gold.tolerance, gold.explanation) == ([2, 1, 2], 0.25, "a\nb")
    assert gold.task.purpose == TaskPurpose.QUALIFICATION


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rank_A": "1", "rank_B": "1"}, "at least one answer is better"),
        ({"rank_A": "9"}, "rank_A"),
        ({"purpose": "label"}, "purpose"),
        ({"tolerance": "2"}, "tolerance"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_what_was_typed_stays(client, project, changes, reason):
    task = TaskFactory(project=project)
    form = {"rank_A": "1", "rank_B": "2", "purpose": "gold", "tolerance": "0", "explanation": "typed"}
    answer = client.post(f"{url(project, 'gold_new')}?task={task.pk}", {**form, **changes}, **HTMX)
    assert answer.status_code == 422
    assert "typed" in answer.content.decode()
    assert reason in answer.content.decode() or reason in answer.context["form"].errors
    assert not Gold.objects.exists()


def test_only_ordinary_tasks_of_the_project_are_offered(client, project):
    for number in (TaskFactory().pk, GoldFactory(task__project=project).task_id, 10**18, "x"):
        answer = client.get(f"{url(project, 'gold_new')}?task={number}")
        assert answer.status_code == 404
        assert "There is no ordinary task with this number" in answer.content.decode()
    assert "Number of the task" in client.get(url(project, "gold_new")).content.decode()


def test_retiring_and_bringing_back(client, project):
    gold = GoldFactory(task__project=project)
    assert client.post(url(project, "gold_retire", gold.pk)).status_code == 303
    gold.refresh_from_db()
    assert gold.retired_at is not None
    part = client.post(url(project, "gold_restore", gold.pk), **HTMX)
    assert ">Retire<" in part.content.decode()
    gold.refresh_from_db()
    assert gold.retired_at is None


def test_a_known_answer_of_another_project_is_not_there(client, project):
    foreign = GoldFactory()
    for name in ("gold_retire", "gold_restore"):
        assert client.post(url(project, name, foreign.pk)).status_code == 404
    foreign.refresh_from_db()
    assert foreign.retired_at is None


def test_hostile_prompts_and_answers_are_shown_as_text(client, project):
    row = {**ROW, "prompt": "<script>alert(1)</script>", "answers": ["<img src=x onerror=alert(1)>", "ok"]}
    client.post(url(project), {"file": file_of(row)})
    assert "<script>alert" not in client.get(url(project)).content.decode()
    task = TaskFactory(project=project, prompt__text="<script>alert(2)</script>")
    page = client.get(f"{url(project, 'gold_new')}?task={task.pk}").content.decode()
    assert "<script>alert" not in page
