import pytest

from tests.feedback.factories import MembershipFactory, TaskFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(project):
    return f"/api/v1/projects/{project.pk}/claim/"


def test_a_claim_answers_with_letters_and_texts_and_nothing_else(client_of, project, url):
    task = TaskFactory(project=project, n_answers=3)
    client = client_of(MembershipFactory(project=project).user)

    answer = client.post(url)

    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {
        "assignment_id", "protocol", "guidelines", "messages", "answers", "lease_expires_at", "client_key",
    }  # fmt: skip
    assert [answer["letter"] for answer in body["answers"]] == ["A", "B", "C"]
    assert {frozenset(answer) for answer in body["answers"]} == {frozenset({"letter", "text"})}
    assert {answer["text"] for answer in body["answers"]} == {item.response.text for item in task.items.all()}
    assert body["messages"] == task.prompt.messages
    assert body["protocol"] == 1


def test_a_second_claim_answers_the_same_task(client_of, project, url):
    TaskFactory.create_batch(2, project=project)
    client = client_of(MembershipFactory(project=project).user)

    first, second = client.post(url).json(), client.post(url).json()

    assert first["client_key"] != second["client_key"]
    assert first | {"client_key": ""} == second | {"client_key": ""}


def test_nothing_left_is_204(client_of, project, url):
    answer = client_of(MembershipFactory(project=project).user).post(url)

    assert (answer.status_code, answer.content) == (204, b"")


def test_a_get_never_claims(client_of, project, url):
    answer = client_of(MembershipFactory(project=project).user).get(url)

    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_a_stranger_is_not_told_that_the_project_exists(client_of, project, url):
    client = client_of(UserFactory())

    known = client.post(url)

    assert known.status_code == 404
    for unknown in (123_456, 10**30):
        assert client.post(f"/api/v1/projects/{unknown}/claim/").json() == known.json()


def test_a_researcher_does_not_annotate(client_of, project, url):
    answer = client_of(MembershipFactory(project=project, role="researcher").user).post(url)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "permission_denied"


def test_a_site_admin_who_is_no_annotator_is_told_so(client_of, project, url):
    answer = client_of(UserFactory(is_superuser=True)).post(url)

    assert answer.status_code == 403
    assert "ask its admin" in answer.json()["error"]["message"]
