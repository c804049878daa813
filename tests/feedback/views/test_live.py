import pytest
from django.urls import reverse

from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import AssignmentState, ConversationState, TurnState
from feedback.models import Assignment, Conversation, Judgment, Turn
from feedback.services.answering import turn_answer
from feedback.services.conversation import conversation_start
from tests.feedback.factories import MembershipFactory, ProjectFactory, ProtocolFactory
from tests.feedback.live_source import ScriptedSource

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
PAYLOAD = "<script>window.hurt = 1</script>"


@pytest.fixture(autouse=True)
def source(settings, monkeypatch):
    settings.ANSWER_SOURCE = "tests.feedback.live_source.ScriptedSource"
    monkeypatch.setattr(ScriptedSource, "answers", {"key-new": "It opens at nine.", "key-old": "It is closed."})
    monkeypatch.setattr(ScriptedSource, "asked", [])
    return ScriptedSource


@pytest.fixture
def project():
    return ProjectFactory(protocol__kind=ProtocolKind.LIVE)


@pytest.fixture
def annie(client, project):
    user = MembershipFactory(project=project).user
    client.force_login(user)
    client.user = user
    return client


@pytest.fixture
def chat(project, annie):
    return conversation_start(project=project, annotator=annie.user, text="When does the bakery open?")


def url(project, name, *args):
    return reverse(f"feedback:{name}", args=[project.pk, *args])


def answer_all(chat):
    for answer in chat.turns.latest("number").answers.all():
        turn_answer(answer_id=answer.pk)


def judge(annie, chat, fields, **headers):
    form = {"assignment": Assignment.objects.latest("pk").pk, "client_key": "key-1", **fields}
    return annie.post(url(chat.project, "live_judge", chat.pk), form, **headers)


def test_people_of_a_live_project_are_sent_to_the_chat(annie, project):
    response = annie.get(url(project, "label"))
    assert response["Location"] == url(project, "live")
    assert b"Begin a conversation" in annie.get(url(project, "live")).content


def test_what_is_missing_stands_in_place_of_the_field(annie, project, source, monkeypatch):
    monkeypatch.setattr(source, "answers", {"key-new": "alone"})
    page = annie.get(url(project, "live")).content.decode()
    assert "Only one policy answers" in page
    assert "<textarea" not in page
    response = annie.post(url(project, "live_turn"), {"text": "Hello?"})
    assert response.status_code == 422
    assert b"Only one policy answers" in response.content


def test_a_ranking_project_says_that_it_has_no_chat(annie, project):
    ProtocolFactory(project=project, kind=ProtocolKind.RANK)
    project.protocols.filter(kind=ProtocolKind.LIVE).update(kind=ProtocolKind.PAIRWISE)
    assert b"there is no chat" in annie.get(url(project, "live")).content


def test_the_first_message_leads_to_its_conversation(annie, project):
    response = annie.post(url(project, "live_turn"), {"text": "Hello?"})
    chat = Conversation.objects.get()
    assert (response.status_code, response["Location"]) == (303, url(project, "live_state", chat.pk))


def test_while_they_answer_htmx_asks_on_and_a_browser_without_scripts_loads_again(annie, chat):
    page = annie.get(url(chat.project, "live_state", chat.pk)).content.decode()
    assert 'hx-trigger="every 1s"' in page
    assert 'http-equiv="refresh"' in page
    assert "?look=1#now" in page
    assert "?look=2#now" in annie.get(url(chat.project, "live_state", chat.pk), {"look": "1"}).content.decode()
    part = annie.get(url(chat.project, "live_state", chat.pk), **HTMX)
    assert part.status_code == 200
    answer_all(chat)
    part = annie.get(url(chat.project, "live_state", chat.pk), **HTMX)
    assert part.status_code == 286
    assert b"every 1s" not in part.content
    assert b"live-judge" in part.content
    assert b"refresh" not in annie.get(url(chat.project, "live_state", chat.pk)).content


def test_nothing_tells_who_answers(annie, chat):
    answer_all(chat)
    page = annie.get(url(chat.project, "live_state", chat.pk)).content.decode()
    assert "key-new" not in page
    assert "Policy" not in page


def test_a_choice_brings_the_field_for_the_next_message(annie, chat):
    answer_all(chat)
    response = judge(annie, chat, {"strength": "A1", "rationale": "shorter", "flag_B": "untrue"}, **HTMX)
    assert b"Your next message" in response.content
    judgment = Judgment.objects.get()
    assert (judgment.strength, judgment.rationale, len(judgment.flags)) == (1, "shorter", 1)
    form = {"conversation": chat.pk, "number": 2, "text": "And on Sundays?"}
    response = annie.post(url(chat.project, "live_turn"), form)
    assert response["Location"] == url(chat.project, "live_state", chat.pk) + "#now"
    assert Turn.objects.count() == 2


def test_a_choice_that_is_none_comes_back_with_what_was_typed(annie, chat):
    answer_all(chat)
    response = judge(annie, chat, {"rationale": "<b>why</b>"}, **HTMX)
    assert response.status_code == 422
    assert "&lt;b&gt;why&lt;/b&gt;" in response.content.decode()
    assert not Judgment.objects.exists()


def test_a_message_that_is_refused_is_not_lost(annie, chat):
    answer_all(chat)
    judge(annie, chat, {"all_bad": "on"})
    form = {"conversation": chat.pk, "number": 2, "text": "Keep me."}
    response = annie.post(url(chat.project, "live_turn"), form)
    assert response.status_code == 422
    assert b"Keep me." in response.content
    assert annie.post(url(chat.project, "live_turn"), {**form, "letter": "B"}).status_code == 303


def test_a_turn_is_skipped_with_a_reason(annie, chat):
    answer_all(chat)
    assert judge(annie, chat, {"skip_reason": "because"}).status_code == 422
    assert judge(annie, chat, {"skip_reason": "expertise"}).status_code == 303
    assert Assignment.objects.get().state == AssignmentState.RELEASED


def test_a_policy_that_failed_can_be_asked_again(annie, chat):
    chat.turns.update(state=TurnState.UNANSWERED, error="One does not answer.")
    assert b"Try again" in annie.get(url(chat.project, "live_state", chat.pk)).content
    annie.post(url(chat.project, "live_again", chat.pk))
    assert chat.turns.get().state == TurnState.ANSWERING


def test_an_ended_conversation_can_be_read_and_not_written(annie, chat):
    answer_all(chat)
    annie.post(url(chat.project, "live_end", chat.pk))
    chat.refresh_from_db()
    assert chat.state == ConversationState.ENDED
    page = annie.get(url(chat.project, "live_state", chat.pk)).content.decode()
    assert "has ended" in page
    assert "<textarea" not in page
    assert judge(annie, chat, {"strength": "A1"}).status_code == 422
    form = {"conversation": chat.pk, "number": 2, "text": "More?"}
    assert annie.post(url(chat.project, "live_turn"), form).status_code == 422


def test_another_persons_conversation_is_not_there(annie, client, chat, project):
    other = MembershipFactory(project=project).user
    client.force_login(other)
    assert client.get(url(project, "live_state", chat.pk)).status_code == 404
    for name in ("live_judge", "live_again", "live_end"):
        assert client.post(url(project, name, chat.pk)).status_code == 404
    form = {"conversation": chat.pk, "number": 2, "text": "Mine now."}
    assert client.post(url(project, "live_turn"), form).status_code == 404
    assert b"bakery" not in client.get(url(project, "live")).content


@pytest.mark.parametrize("sent", [{"conversation": "x"}, {"conversation": "9" * 30}, {"number": "2"}, {}])
def test_nonsense_changes_nothing(annie, chat, sent):
    assert annie.post(url(chat.project, "live_turn"), sent).status_code in {404, 422}
    assert Turn.objects.count() == 1


def test_what_policies_and_people_write_is_only_text(annie, project, source):
    source.answers |= {"key-new": PAYLOAD, "key-old": f"{PAYLOAD}!"}
    chat = conversation_start(project=project, annotator=annie.user, text=PAYLOAD)
    answer_all(chat)
    for fields in ({}, {"strength": "A1"}):
        judge(annie, chat, fields)
        page = annie.get(url(project, "live_state", chat.pk)).content.decode()
        assert PAYLOAD not in page
        assert page.count("&lt;script&gt;") >= 3
