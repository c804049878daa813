"""A live comparison by a program: chat, look, judge, go on; and nothing of the sources before the judgment."""

import pytest

from feedback.domain.protocol import ProtocolKind
from feedback.models import Batch, Turn
from feedback.ports import SourceDown
from feedback.selectors.batch import batch_progress
from feedback.selectors.conversation import turn_last
from feedback.selectors.preference import preference_rows
from feedback.services.answering import turn_answer
from tests.feedback.factories import MembershipFactory, ProjectFactory
from tests.feedback.live_source import ScriptedSource

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def source(settings, monkeypatch):
    settings.ANSWER_SOURCE = "tests.feedback.live_source.ScriptedSource"
    settings.ANSWER_PATIENCE_S = 0
    monkeypatch.setattr(ScriptedSource, "answers", {"new": "It opens at nine.", "old": "It is closed."})
    monkeypatch.setattr(ScriptedSource, "asked", [])
    return ScriptedSource


@pytest.fixture
def project():
    return ProjectFactory(protocol__kind=ProtocolKind.LIVE)


@pytest.fixture
def client(client_of, project):
    return client_of(MembershipFactory(project=project).user)


@pytest.fixture
def url(project):
    return f"/api/v1/projects/{project.pk}/conversations/"


def answer_newest():
    conversation = Turn.objects.latest("pk").conversation
    for answer in turn_last(conversation=conversation).answers.all():
        turn_answer(answer_id=answer.pk)


def begin(client, url):
    begun = client.post(url, {"text": "When does the bakery open?"}, "json")
    assert begun.status_code == 201
    return f"{url}{begun.json()['conversation_id']}/"


def newest(client, chat):
    return client.get(chat).json()["turns"][-1]


def judge(client, turn, better, key):
    letters = {answer["text"]: answer["letter"] for answer in turn["answers"]}
    ranks = {letter: 1 if text == better else 2 for text, letter in letters.items()}
    body = {"ranks": ranks, "strength": 2, "client_key": key}
    return client.post(f"/api/v1/assignments/{turn['assignment_id']}/judgment/", body, "json")


def test_the_chosen_answer_goes_on(client, url, project):
    chat = begin(client, url)
    asked = newest(client, chat)
    assert (asked["state"], asked["assignment_id"], asked["chosen"]) == ("answering", None, None)
    answer_newest()
    turn = newest(client, chat)
    assert (turn["state"], {answer["letter"] for answer in turn["answers"]}) == ("ready", {"A", "B"})
    assert not {"new", "old"} & set(str(client.get(chat).json()).replace("'", " ").split())

    assert judge(client, turn, "It is closed.", "one").status_code == 201
    shown = client.get(chat).json()
    assert (shown["may_write"], shown["next_number"]) == (True, 2)
    again = [client.post(f"{chat}turns/", {"number": 2, "text": "And on Sundays?"}, "json") for _ in range(2)]
    assert [answer.status_code for answer in again] == [200, 200]
    assert len(again[1].json()["turns"]) == 2
    answer_newest()
    assert judge(client, newest(client, chat), "It opens at nine.", "two").status_code == 201

    _, second = preference_rows(project=project)
    assert [message["content"] for message in second["prompt"]] == [
        "When does the bakery open?", "It is closed.", "And on Sundays?",
    ]  # fmt: skip
    assert client.post(f"{chat}end/").status_code == 204
    assert client.get(chat).json()["is_going"] is False


def test_a_turn_is_skipped_in_its_conversation_and_wants_no_judgment_any_more(client, url):
    chat = begin(client, url)
    answer_newest()
    turn = newest(client, chat)
    there = client.post(f"/api/v1/assignments/{turn['assignment_id']}/skip/", {"reason": "other"}, "json")
    assert (there.status_code, there.json()["error"]["code"]) == (409, "conflict")
    assert client.post(f"{chat}skip/", {"reason": "other"}, "json").json()["may_write"] is True
    progress = batch_progress(batch=Batch.objects.get())
    assert (progress.n_judgments, progress.n_wanted) == (0, 0)


def test_a_policy_that_is_down_is_asked_again(client, url, source, monkeypatch):
    monkeypatch.setattr(source, "answers", {"new": "It opens at nine.", "old": SourceDown("asleep")})
    chat = begin(client, url)
    answer_newest()
    turn = newest(client, chat)
    assert turn["state"] == "unanswered"
    assert turn["error"]
    monkeypatch.setattr(source, "answers", {"new": "It opens at nine.", "old": "It is closed."})
    assert client.post(f"{chat}again/").json()["turns"][-1]["state"] == "answering"
    answer_newest()
    assert newest(client, chat)["state"] == "ready"


def test_nobody_reaches_the_conversation_of_another(client, client_of, project, url):
    chat = begin(client, url)
    colleague = client_of(MembershipFactory(project=project).user)
    assert colleague.get(chat).status_code == 404
    for action in ("turns", "skip", "again", "end"):
        assert colleague.post(f"{chat}{action}/", {}, "json").status_code == 404


def test_what_cannot_be_is_refused(client, client_of, url):
    assert client.post(url, {"text": " "}, "json").status_code == 400
    chat = begin(client, url)
    early = client.post(f"{chat}turns/", {"number": 2, "text": "And?"}, "json")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "conflict")
    ranked = ProjectFactory()
    worker = client_of(MembershipFactory(project=ranked).user)
    assert worker.post(f"/api/v1/projects/{ranked.pk}/conversations/", {"text": "Hello?"}, "json").status_code == 400
