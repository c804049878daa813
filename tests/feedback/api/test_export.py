import json

import pytest

from tests.feedback.factories import GoldFactory, JudgmentFactory, MembershipFactory, TaskFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def judged(project):
    task = TaskFactory(project=project, n_answers=3)
    return JudgmentFactory(
        assignment__task=task, assignment__annotator=MembershipFactory(project=project).user, ranks=[1, 1, 3]
    )


@pytest.fixture
def client(client_of, project):
    return client_of(MembershipFactory(project=project, role="researcher").user)


def body(answer):
    return b"".join(answer.streaming_content).decode()


def test_preferences_stream_as_json_lines(client, project, judged):
    answer = client.get(f"/api/v1/projects/{project.pk}/preferences/")

    rows = [json.loads(line) for line in body(answer).splitlines()]
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer["Content-Disposition"] == f'attachment; filename="project-{project.pk}-preferences.jsonl"'
    assert len(rows) == 2
    assert rows[0]["prompt"] == judged.task.prompt.messages
    assert judged.annotator.username not in json.dumps(rows)


def test_a_csv_makes_formulas_harmless(client, project, judged):
    response = judged.task.items.get(item=0).response
    response.text = '=HYPERLINK("http://evil")'
    response.save()

    answer = client.get(f"/api/v1/projects/{project.pk}/preferences/?as=csv")

    header, *rows = body(answer).splitlines()
    assert header.startswith("prompt,chosen,rejected,task")
    assert not any(cell.startswith("=") for row in rows for cell in row.split(","))


def test_an_unknown_form_is_refused(client, project):
    assert client.get(f"/api/v1/projects/{project.pk}/preferences/?as=xml").status_code == 400


def test_judgments_stream_as_they_were_made(client, project, judged):
    answer = client.get(f"/api/v1/projects/{project.pk}/judgments/")

    [row] = [json.loads(line) for line in body(answer).splitlines()]
    assert row["judgment"] == judged.pk
    assert row["ranks"] == [1, 1, 3]
    assert len(row["answers"]) == 3


def test_gold_training_and_repeats_come_only_when_asked_for(client, project, judged):
    for purpose in ("gold", "training", "qualification"):
        JudgmentFactory(
            assignment__task=GoldFactory(task__project=project, task__purpose=purpose).task,
            assignment__annotator=judged.annotator,
        )
    repeat = TaskFactory(project=project, n_answers=3, purpose="repeat", repeat_of=judged.task)
    JudgmentFactory(assignment__task=repeat, assignment__annotator=judged.annotator, edited_answer="Better.")
    url = f"/api/v1/projects/{project.pk}/judgments/"

    def purposes(query):
        return [json.loads(line)["purpose"] for line in body(client.get(url + query)).splitlines()]

    assert purposes("") == purposes("?known=0") == ["label"]
    assert purposes("?known=1") == ["label", "gold", "training", "qualification", "repeat"]
    assert client.get(f"{url}?known=yes").status_code == 400
    for what in ("preferences", "demonstrations"):
        rows = body(client.get(f"/api/v1/projects/{project.pk}/{what}/")).splitlines()
        assert {json.loads(row)["task"] for row in rows} <= {judged.task_id}


def test_demonstrations_stream_as_prompts_and_completions(client, project, judged):
    judged.edited_answer, judged.edited_item = "Better.", 0
    judged.save()

    answer = client.get(f"/api/v1/projects/{project.pk}/demonstrations/")

    [row] = [json.loads(line) for line in body(answer).splitlines()]
    assert row["prompt"] == judged.task.prompt.messages
    assert row["completion"] == [{"role": "assistant", "content": "Better."}]


@pytest.mark.parametrize("what", ["preferences", "judgments", "demonstrations"])
def test_only_researchers_and_admins_download(client_of, project, what):
    url = f"/api/v1/projects/{project.pk}/{what}/"
    assert client_of(MembershipFactory(project=project, role="admin").user).get(url).status_code == 200
    assert client_of(MembershipFactory(project=project, role="annotator").user).get(url).status_code == 403
    assert client_of(UserFactory()).get(url).status_code == 404
