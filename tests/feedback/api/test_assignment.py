import pytest

from feedback.domain.protocol import Dimension, Editing, ProtocolOptions
from feedback.models import Assignment, Report, Transition
from tests.feedback.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory

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
        "assignment_id", "protocol", "kind", "options", "guidelines", "messages", "warnings", "answers",
        "lease_expires_at", "client_key",
    }  # fmt: skip
    assert [answer["letter"] for answer in body["answers"]] == ["A", "B", "C"]
    assert {frozenset(answer) for answer in body["answers"]} == {frozenset({"letter", "text"})}
    assert {answer["text"] for answer in body["answers"]} == {item.response.text for item in task.items.all()}
    assert body["messages"] == task.prompt.messages
    assert (body["protocol"], body["kind"], body["warnings"]) == (1, "rank", [])
    assert body["options"] == {"dimensions": [], "top_k": 0, "editing": "no"}


def test_a_claim_says_what_is_asked_and_nothing_of_masked_names_or_sources(client_of):
    options = ProtocolOptions(
        dimensions=(Dimension("kind", "Kind", "Rude", "Warm", 3),),
        editing=Editing.MAY,
        masked_names=("Plumb",),
        warnings={"blood": "There is blood."},
        live_sources=("one", "two"),
    )
    project = ProjectFactory(protocol__kind="pairwise", protocol__options=options.to_json())
    TaskFactory(project=project, prompt__tags=["blood"])

    body = client_of(MembershipFactory(project=project).user).post(f"/api/v1/projects/{project.pk}/claim/").json()

    assert (body["kind"], body["warnings"]) == ("pairwise", ["There is blood."])
    assert body["options"] == {
        "dimensions": [{"key": "kind", "name": "Kind", "low": "Rude", "high": "Warm", "points": 3}],
        "top_k": 0,
        "editing": "may",
    }


def test_the_next_task_can_be_prefetched_and_is_claimed_after_a_skip(client_of, project, url):
    TaskFactory.create_batch(3, project=project)
    client = client_of(MembershipFactory(project=project).user)
    prefetch = f"/api/v1/projects/{project.pk}/prefetch/"
    assert client.post(prefetch).status_code == 204
    in_hand = client.post(url).json()["assignment_id"]

    following = client.post(prefetch).json()["assignment_id"]
    assert client.post(url).json()["assignment_id"] == in_hand != following
    reason = {"reason": "expertise", "note": "Chess", "active_s": 7}
    skipped = client.post(f"/api/v1/assignments/{in_hand}/skip/", reason, "json")

    assert skipped.status_code == 204
    assert client.post(url).json()["assignment_id"] == following
    assert Transition.objects.get(to_state="released").reason == "expertise: Chess"
    assert Assignment.objects.get(pk=in_hand).active_s == 7
    again = client.post(f"/api/v1/assignments/{in_hand}/skip/", {"reason": "expertise"}, "json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "lease_lost")


def test_a_skip_needs_a_known_reason(client_of, project, url):
    TaskFactory(project=project)
    client = client_of(MembershipFactory(project=project).user)
    skip = f"/api/v1/assignments/{client.post(url).json()['assignment_id']}/skip/"

    for body in ({}, {"reason": "lunch"}, {"reason": "other", "note": "n" * 501}):
        assert client.post(skip, body, "json").status_code == 400
    assert Assignment.objects.get().state == "held"


def test_a_problem_is_reported_and_the_task_stays(client_of, project, url):
    TaskFactory(project=project)
    client = client_of(MembershipFactory(project=project).user)
    assignment = client.post(url).json()["assignment_id"]
    report = f"/api/v1/assignments/{assignment}/report/"

    assert client.post(report, {"text": ""}, "json").status_code == 400
    assert client.post(report, {"text": "The picture is missing."}, "json").status_code == 201

    assert Report.objects.get().text == "The picture is missing."
    assert client.post(url).json()["assignment_id"] == assignment


def test_a_draft_is_kept_and_an_older_one_never_replaces_it(client_of, project, url):
    TaskFactory(project=project)
    client = client_of(MembershipFactory(project=project).user)
    draft = f"/api/v1/assignments/{client.post(url).json()['assignment_id']}/draft/"
    assert client.get(draft).json() == {"fields": {}, "version": 0}

    first = client.put(draft, {"fields": {"rationale": ["so "]}, "version": 0}, "json")
    stale = client.put(draft, {"fields": {"rationale": ["older"]}, "version": 0}, "json")

    assert (first.status_code, first.json()["version"]) == (200, 1)
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "conflict")
    assert client.get(draft).json() == {"fields": {"rationale": ["so "]}, "version": 1}
    for body in ([], {"fields": "x"}, {"fields": {"rank_A": "1"}}, {"version": "x"}):
        assert client.put(draft, body, "json").status_code == 400, body


def test_a_task_of_ones_own_is_seen_again_as_it_was(client_of, project, url):
    TaskFactory(project=project, n_answers=4)
    client = client_of(MembershipFactory(project=project).user)
    claimed = client.post(url).json()
    address = f"/api/v1/assignments/{claimed['assignment_id']}/"

    again = client.get(address).json()

    assert again | {"client_key": ""} == claimed | {"client_key": ""}
    assert client_of(MembershipFactory(project=project).user).get(address).status_code == 403
    assert client_of(UserFactory()).get(address).status_code == 404


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
