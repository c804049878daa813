import datetime as dt

import pytest
from django.utils import timezone

from feedback.domain.protocol import Dimension, Editing, ProtocolOptions
from feedback.models import Judgment
from feedback.services.assignment import assignments_expire
from feedback.services.batch import batch_close
from tests.feedback.factories import JudgmentFactory, MembershipFactory, ProjectFactory, TaskFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(project):
    return TaskFactory(project=project, n_answers=3)


@pytest.fixture
def client(client_of, project):
    return client_of(MembershipFactory(project=project).user)


@pytest.fixture
def claimed(client, project, task):
    return client.post(f"/api/v1/projects/{project.pk}/claim/").json()


@pytest.fixture
def url(claimed):
    return f"/api/v1/assignments/{claimed['assignment_id']}/judgment/"


def judgment(claimed, **changes):
    return {"ranks": {"A": 2, "B": 1, "C": 2}, "client_key": claimed["client_key"], **changes}


def test_a_judgment_is_stored_by_answer_whatever_letter_it_was_shown_under(client, claimed, url, task):
    answer = client.post(url, judgment(claimed, rationale="B is kind"), format="json")

    stored = Judgment.objects.get()
    best = next(shown["text"] for shown in claimed["answers"] if shown["letter"] == "B")
    assert answer.status_code == 201
    assert answer.json() == {"judgment_id": stored.pk, "counted": True}
    assert [item.response.text for item in task.items.all() if stored.ranks[item.item] == 1] == [best]
    assert sorted(stored.ranks) == [1, 2, 2]
    assert stored.rationale == "B is kind"


def test_sending_it_again_answers_200_and_stores_nothing(client, claimed, url):
    first = client.post(url, judgment(claimed), format="json")
    second = client.post(url, judgment(claimed), format="json")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert Judgment.objects.count() == 1


def test_another_key_corrects(client, claimed, url):
    client.post(url, judgment(claimed), format="json")
    answer = client.post(url, judgment(claimed, client_key="mine", ranks={"A": 1, "B": 1, "C": 1}), format="json")

    assert answer.status_code == 201
    assert Judgment.objects.get(superseded_by=None).n_ties == 3


def test_a_closed_batch_refuses_corrections_with_409(client, claimed, url, task):
    client.post(url, judgment(claimed), format="json")
    batch_close(batch=task.batch)

    answer = client.post(url, judgment(claimed, client_key="mine"), format="json")

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "conflict"


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"ranks": {"A": 1, "B": 2}}, "bad_ranks", "A, B, C"),
        ({"ranks": {"A": 1, "B": 2, "D": 3}}, "bad_ranks", "A, B, C"),
        ({"ranks": {"A": 2, "B": 3, "C": 3}}, "bad_ranks", "start at 1"),
        ({"ranks": {"A": 0, "B": 1, "C": 2}}, "invalid", "ranks"),
        ({"ranks": {"A": "x", "B": 1, "C": 2}}, "invalid", "integer"),
        ({"ranks": [1, 2, 3]}, "invalid", "dictionary"),
        ({"ranks": {}}, "bad_ranks", "Still without one: A, B, C"),
        ({"client_key": ""}, "invalid", "client_key"),
        ({"client_key": "k" * 65}, "invalid", "64"),
        ({"rationale": "a\x00b"}, "invalid", "Null"),
        ({"rationale": "r" * 10_001}, "invalid", "10,000"),
        ({"active_s": -1}, "invalid", "active_s"),
        ({"flags": ["unsafe"]}, "invalid", "dictionary"),
        ({"flags": {"A": ["rude"]}}, "invalid", "rude"),
        ({"flags": {"D": ["unsafe"]}}, "bad_ranks", "A, B, C"),
    ],
)
def test_bad_input_is_refused_with_a_reason(client, claimed, url, changes, code, says):
    answer = client.post(url, judgment(claimed, **changes), format="json")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert says in answer.json()["error"]["message"]
    assert not Judgment.objects.exists()


def test_broken_json_is_refused(client, url):
    answer = client.post(url, '{"ranks": ', content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "parse_error"


def test_a_body_of_megabytes_is_refused(client, claimed, url):
    answer = client.post(url, judgment(claimed, rationale="r" * 2_000_000), format="json")

    assert answer.status_code == 413
    assert answer.json()["error"]["message"].startswith("At most 1 MB")


def test_nobody_judges_for_another(client_of, project, claimed, url):
    colleague = client_of(MembershipFactory(project=project).user)
    stranger = client_of(UserFactory())

    assert colleague.post(url, judgment(claimed), format="json").status_code == 403
    assert stranger.post(url, judgment(claimed), format="json").status_code == 404
    for unknown in (123_456, 10**30):
        assert stranger.post(f"/api/v1/assignments/{unknown}/judgment/", {}, format="json").status_code == 404
    assert not Judgment.objects.exists()


def claimed_of(client_of, kind, n_answers, **options):
    project = ProjectFactory(protocol__kind=kind, protocol__options=ProtocolOptions(**options).to_json())
    TaskFactory(project=project, n_answers=n_answers)
    client = client_of(MembershipFactory(project=project).user)
    claimed = client.post(f"/api/v1/projects/{project.pk}/claim/").json()
    return client, f"/api/v1/assignments/{claimed['assignment_id']}/judgment/", project


_SCALE = Dimension("kind", "Kind")
SAID = [
    ("rank", 4, {"top_k": 2}, {"ranks": {"A": 1, "B": None, "C": 2, "D": None}, "cannot_judge": ["D"]}),
    ("rank", 2, {}, {"all_bad": True}),
    ("rank", 2, {"editing": Editing.MUST}, {"ranks": {"A": 1, "B": 2}, "edited": "A", "edited_answer": " Better.\n"}),
    ("pairwise", 2, {}, {"ranks": {"A": 2, "B": 1}, "strength": 3, "flags": {"A": ["broken", "unsafe"]}}),
    ("rate", 2, {"dimensions": (_SCALE,)}, {"ratings": {"kind": {"A": 4, "B": None}}, "cannot_judge": ["B"]}),
    ("write", 0, {}, {"edited_answer": "Take the ferry."}),
]


@pytest.mark.parametrize(("kind", "n_answers", "options", "said"), SAID)
def test_every_kind_is_judged_by_letter_and_found_again_in_ones_own_work(client_of, kind, n_answers, options, said):
    client, url, project = claimed_of(client_of, kind, n_answers, **options)

    answer = client.post(url, {"client_key": "k", "rationale": "So.", **said}, format="json")

    assert answer.status_code == 201, answer.json()
    [work] = client.get(f"/api/v1/projects/{project.pk}/work/").json()
    nothing = {
        "ranks": dict.fromkeys("ABCD"[:n_answers]), "cannot_judge": [], "all_bad": False, "strength": None,
        "ratings": {}, "flags": {}, "edited": None, "edited_answer": "",
    }  # fmt: skip
    assert work["verdict"] == nothing | said
    assert (work["judgment_id"], work["kind"], work["may_correct"]) == (answer.json()["judgment_id"], kind, True)
    assert client.post(url, {"client_key": "k", "rationale": "So.", **said}, format="json").status_code == 200


@pytest.mark.parametrize(
    ("kind", "n_answers", "options", "said", "says"),
    [
        ("pairwise", 2, {}, {"ranks": {"A": 2, "B": 1}, "strength": 0}, "contradict"),
        ("pairwise", 2, {}, {"ranks": {"A": 2, "B": 1}, "strength": 4}, "strength"),
        ("rate", 2, {"dimensions": (_SCALE,)}, {"ratings": {"kind": {"A": 6, "B": 1}}}, "1 to 5"),
        ("rate", 2, {"dimensions": (_SCALE,)}, {"ratings": {"kind": {"A": 5, "Z": 1}}}, "A, B"),
        ("write", 0, {}, {"ranks": {"A": 1}, "edited_answer": "So."}, "no other"),
        ("rank", 2, {}, {"ranks": {"A": 1, "B": 2}, "edited": "A", "edited_answer": "So."}, "no improved answer"),
    ],
)
def test_what_a_kind_does_not_ask_for_is_refused(client_of, kind, n_answers, options, said, says):
    client, url, _ = claimed_of(client_of, kind, n_answers, **options)

    answer = client.post(url, {"client_key": "k", **said}, format="json")

    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
    assert not Judgment.objects.exists()


def test_a_late_judgment_is_taken_when_its_slot_is_free_and_kept_when_it_is_gone(client_of, client, project, task, url):
    assignments_expire(now=timezone.now() + dt.timedelta(hours=2))
    other = client_of(MembershipFactory(project=project).user)
    theirs = other.post(f"/api/v1/projects/{project.pk}/claim/").json()["assignment_id"]
    ranks = {"A": 1, "B": 2, "C": 3}

    late = client.post(url, {"ranks": ranks, "client_key": "late"}, format="json")
    in_time = other.post(f"/api/v1/assignments/{theirs}/judgment/", {"ranks": ranks, "client_key": "k"}, format="json")

    assert (late.status_code, late.json()["counted"]) == (201, False)
    assert (in_time.status_code, in_time.json()["counted"]) == (201, True)


def test_own_work_pages_backwards_and_is_ones_own_alone(client_of, project):
    judgments = [JudgmentFactory(assignment__task=TaskFactory(project=project)) for _ in range(2)]
    annotator = judgments[0].annotator
    MembershipFactory(project=project, user=annotator)
    client, url = client_of(annotator), f"/api/v1/projects/{project.pk}/work/"

    assert [work["judgment_id"] for work in client.get(url).json()] == [judgments[0].pk]
    assert client.get(f"{url}?before={judgments[0].pk}").json() == []
    for before in ("x", "0", "-1", str(10**30)):
        assert client.get(f"{url}?before={before}").status_code == 400
