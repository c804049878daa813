import datetime as dt

import pytest
from django.utils import timezone

from feedback.domain.errors import Conflict, Invalid, NotAllowed
from feedback.domain.protocol import ProtocolKind, SkipReason
from feedback.domain.states import AssignmentState, BatchState, ConversationState, Split, TurnState
from feedback.domain.verdict import Verdict
from feedback.models import Assignment, Conversation, Judgment, Response, Task, TurnAnswer
from feedback.ports import SourceDown, SourceRefused
from feedback.selectors.conversation import conversation_list, conversation_view, live_source_ids, turn_last
from feedback.selectors.preference import preference_rows
from feedback.services import answering
from feedback.services.answering import turn_answer, turn_settle, turns_wake
from feedback.services.assignment import assignment_claim, assignments_expire
from feedback.services.batch import batch_close
from feedback.services.conversation import (
    conversation_end,
    conversation_start,
    conversation_write,
    turn_ask_again,
    turn_judge,
    turn_skip,
)
from tests.feedback.factories import MembershipFactory, ProjectFactory, PromptFactory
from tests.feedback.live_source import ScriptedSource

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def source(settings, monkeypatch):
    settings.ANSWER_SOURCE = "tests.feedback.live_source.ScriptedSource"
    monkeypatch.setattr(ScriptedSource, "answers", {"new": "It opens at nine.", "old": "It is closed."})
    monkeypatch.setattr(ScriptedSource, "asked", [])
    settings.ANSWER_PATIENCE_S = 0
    return ScriptedSource


@pytest.fixture
def project():
    return ProjectFactory(protocol__kind=ProtocolKind.LIVE)


@pytest.fixture
def annie(project):
    return MembershipFactory(project=project).user


@pytest.fixture
def chat(project, annie):
    return conversation_start(project=project, annotator=annie, text="When does the bakery open?")


def answer_all(conversation):
    for answer in turn_last(conversation=conversation).answers.all():
        turn_answer(answer_id=answer.pk)
    conversation.refresh_from_db()


def look(conversation):
    conversation.refresh_from_db()
    return conversation_view(conversation=conversation)


def letter_of(conversation, text):
    return next(answer.letter for answer in look(conversation).now.answers if answer.text == text)


def choose(conversation, letter, strength=2, key="key-1"):
    ranks = {"A": (1, 2), "B": (2, 1), "": (1, 1)}[letter]
    verdict = Verdict(ranks=ranks, strength=strength if letter else 0)
    return turn_judge(conversation=conversation, verdict=verdict, client_key=key).judgment


def both_bad(conversation, key="key-1"):
    return turn_judge(conversation=conversation, verdict=Verdict(all_bad=True), client_key=key).judgment


def test_both_policies_are_asked_the_same_with_seeds_of_their_own(chat, source):
    answer_all(chat)
    (_, first, one), (_, second, other) = source.asked
    assert first == second == [{"role": "user", "content": "When does the bakery open?"}]
    assert (one.max_new_tokens, one.temperature) == (other.max_new_tokens, other.temperature) == (32, 1.0)
    assert one.seed != other.seed
    assert set(Response.objects.values_list("decoding__seed", flat=True)) == {one.seed, other.seed}


def test_the_chosen_answer_goes_on_and_every_turn_is_a_pair_with_its_whole_conversation(chat):
    answer_all(chat)
    choose(chat, letter_of(chat, "It is closed."))
    conversation_write(conversation=chat, number=2, text="And on Sundays?")
    answer_all(chat)
    choose(chat, letter_of(chat, "It opens at nine."), key="key-2")
    first, second = preference_rows(project=chat.project)
    assert first["prompt"] == [{"role": "user", "content": "When does the bakery open?"}]
    assert (first["chosen"][0]["content"], first["rejected"][0]["content"]) == ("It is closed.", "It opens at nine.")
    assert second["prompt"] == [
        *first["prompt"],
        {"role": "assistant", "content": "It is closed."},
        {"role": "user", "content": "And on Sundays?"},
    ]
    assert (second["chosen_source"], second["rejected_source"]) == ("new", "old")
    prompt = turn_last(conversation=chat).prompt
    assert prompt.parent_response.text == "It is closed."
    assert prompt.parent_response.source.key == "old"
    assert prompt.split == Split.RANKED
    assert prompt.group == chat.turns.get(number=1).prompt.group  # one half of the data for a whole conversation


def test_the_page_knows_letters_and_texts_only(chat):
    answer_all(chat)
    said = repr(look(chat).now.answers)
    assert "Policy" not in said
    assert "source" not in said


def test_which_policy_stands_under_a_changes_from_turn_to_turn(project, annie):
    first = []
    for number in range(12):
        chat = conversation_start(project=project, annotator=annie, text=f"Question {number}?")
        answer_all(chat)
        first.append(look(chat).now.answers[0].text)
    assert len(set(first)) == 2


def test_the_stored_order_is_the_one_that_was_shown_while_they_answered(chat):
    TurnAnswer.objects.filter(source__key="new").update(text="new so far")
    TurnAnswer.objects.filter(source__key="old").update(text="old so far")
    before = [answer.text[:3] for answer in look(chat).now.answers]
    answer_all(chat)
    texts = {"new": "It opens at nine.", "old": "It is closed."}
    assert [answer.text for answer in look(chat).now.answers] == [texts[key] for key in before]
    order = Assignment.objects.get().order
    shown = [Task.objects.get().items.get(item=item).response.source.key for item in order]
    assert shown == before


def test_unfinished_answers_are_shown_equally_long(chat):
    one, other = chat.turns.get().answers.all()
    TurnAnswer.objects.filter(pk=one.pk).update(text="x" * 40, is_whole=True)
    TurnAnswer.objects.filter(pk=other.pk).update(text="y" * 7)
    assert [len(answer.text) for answer in look(chat).now.answers] == [7, 7]
    TurnAnswer.objects.filter(pk=other.pk).update(text="")
    assert [answer.text for answer in look(chat).now.answers] == ["", ""]


def test_a_masked_name_never_shows_even_while_it_is_being_written(project, annie, source):
    protocol = project.protocols.get()
    protocol.options = {"masked_names": ["Plumb"]}
    protocol.save()
    chat = conversation_start(project=project, annotator=annie, text="Who are you?")
    whole = "I am Plumb, and I help."
    for n_written in range(len(whole) + 1):
        chat.turns.get().answers.update(text=whole[:n_written])
        assert all("Plu" not in answer.text for answer in look(chat).now.answers)


def test_a_tie_goes_on_with_one_that_is_drawn_the_same_way_every_time(chat):
    answer_all(chat)
    choose(chat, "")
    drawn = look(chat).now.chosen
    assert {look(chat).now.chosen for _ in range(5)} == {drawn}
    conversation_write(conversation=chat, number=2, text="Go on.")
    assert turn_last(conversation=chat).prompt.messages[1]["content"] == drawn.text


def test_when_both_are_bad_the_annotator_says_which_one_goes_on(chat):
    answer_all(chat)
    both_bad(chat)
    assert look(chat).now.must_pick
    with pytest.raises(Invalid, match="Choose the answer"):
        conversation_write(conversation=chat, number=2, text="Go on.")
    letter = letter_of(chat, "It is closed.")
    conversation_write(conversation=chat, number=2, text="Go on.", letter=letter)
    assert turn_last(conversation=chat).prompt.messages[1]["content"] == "It is closed."
    assert list(preference_rows(project=chat.project)) == []


def test_identical_answers_need_no_judgment(chat, source):
    source.answers |= {"new": "Nine.", "old": "Nine."}
    answer_all(chat)
    shown = look(chat)
    assert shown.now.is_alike
    assert shown.may_write
    assert not Task.objects.exists()
    conversation_write(conversation=chat, number=2, text="Thanks.")
    assert turn_last(conversation=chat).prompt.parent_response.text == "Nine."


def test_a_turn_is_nobody_elses_task(chat, project, annie):
    answer_all(chat)
    other = MembershipFactory(project=project).user
    assert assignment_claim(project=project, annotator=other) is None
    assignments_expire(now=timezone.now() + dt.timedelta(days=1))
    assert Assignment.objects.get().state == AssignmentState.EXPIRED
    assert assignment_claim(project=project, annotator=other) is None
    assert assignment_claim(project=project, annotator=annie) is None
    choose(chat, "A")  # late, and still counted
    assert Judgment.objects.get().counted


def test_a_skipped_turn_waits_for_nobody_and_the_conversation_goes_on(chat):
    answer_all(chat)
    turn_skip(conversation=chat, reason=SkipReason.EXPERTISE)
    assert Assignment.objects.get().state == AssignmentState.RELEASED
    assert list(Task.objects.values_list("overlap", "open_slots")) == [(0, 0)]
    assert not look(chat).now.must_pick
    conversation_write(conversation=chat, number=2, text="Something else.")


def test_the_same_message_again_is_the_same_turn(chat):
    answer_all(chat)
    choose(chat, "A")
    first = conversation_write(conversation=chat, number=2, text="And then?")
    assert conversation_write(conversation=chat, number=2, text="And then?") == first
    with pytest.raises(Conflict, match="another window"):
        conversation_write(conversation=chat, number=2, text="Something else?")


def test_a_first_message_sent_twice_begins_one_conversation(chat, project, annie):
    assert conversation_start(project=project, annotator=annie, text="When does the bakery open?") == chat
    assert conversation_start(project=project, annotator=annie, text="Another?") != chat


def test_nothing_is_written_before_the_turn_is_judged(chat):
    with pytest.raises(Conflict, match="Wait"):
        conversation_write(conversation=chat, number=2, text="Hurry.")
    answer_all(chat)
    with pytest.raises(Invalid, match="Say first"):
        conversation_write(conversation=chat, number=2, text="Hurry.")


def test_a_judgment_from_elsewhere_lets_the_conversation_go_on(chat):
    answer_all(chat)
    choose(chat, "A")
    chat.turns.update(state=TurnState.READY)  # as when the process ended just after the judgment was stored
    assert look(chat).may_write
    conversation_write(conversation=chat, number=2, text="And then?")


def test_a_changed_mind_changes_what_goes_on(chat):
    answer_all(chat)
    choose(chat, "A")
    choose(chat, "B", key="key-2")
    assert look(chat).now.chosen.letter == "B"


def test_the_last_turn_ends_the_conversation(project, annie):
    protocol = project.protocols.get()
    protocol.options = {"live_turns": 1}
    protocol.save()
    chat = conversation_start(project=project, annotator=annie, text="Only this?")
    answer_all(chat)
    choose(chat, "A")
    assert not look(chat).is_going
    with pytest.raises(Conflict, match="ended"):
        conversation_write(conversation=chat, number=2, text="One more.")


def test_a_policy_that_is_down_is_said_without_its_name_and_asked_again(chat, source):
    source.answers |= {"old": SourceDown("policy old does not answer")}
    answer_all(chat)
    now = look(chat).now
    assert now.state == TurnState.UNANSWERED
    assert "try again" in now.error
    assert "old" not in now.error
    source.answers |= {"old": "Here I am."}
    turn_ask_again(conversation=chat)
    turn_ask_again(conversation=chat)
    answer_all(chat)
    assert look(chat).now.state == TurnState.READY


def test_a_refusal_and_an_empty_answer_are_told(chat, source):
    source.answers |= {"old": SourceRefused("too long")}
    answer_all(chat)
    assert "too long" in look(chat).now.error
    source.answers |= {"old": " "}
    turn_ask_again(conversation=chat)
    answer_all(chat)
    assert look(chat).now.state == TurnState.UNANSWERED


def test_an_answer_whose_worker_died_is_written_by_the_next_one(chat, monkeypatch):
    sent = []
    monkeypatch.setattr(answering, "dispatch", lambda job, **kwargs: sent.append(kwargs["answer_id"]))
    one, other = chat.turns.get().answers.all()
    turn_answer(answer_id=one.pk)
    long_ago = timezone.now() - dt.timedelta(seconds=answering.LEASE_S + 1)
    TurnAnswer.objects.filter(pk=other.pk).update(lease="0" * 32, beat_at=long_ago, text="half an ans")
    turns_wake()
    assert sent == [other.pk]
    turn_answer(answer_id=other.pk)
    assert look(chat).now.state == TurnState.READY


def test_a_second_worker_leaves_an_answer_alone_whose_worker_lives(chat, source):
    answer = chat.turns.get().answers.first()
    TurnAnswer.objects.filter(pk=answer.pk).update(lease="0" * 32)
    turn_answer(answer_id=answer.pk)
    assert source.asked == []


def test_a_turn_whose_worker_died_just_before_the_end_is_finished(chat):
    chat.turns.get().answers.update(is_whole=True, finish_reason="stop", text="Both the same.")
    turns_wake()
    assert look(chat).now.is_alike


def test_a_turn_that_no_worker_takes_says_so(chat):
    chat.turns.get().answers.update(beat_at=timezone.now() - dt.timedelta(seconds=answering.UNTAKEN_S + 1))
    turns_wake()
    assert "Nothing has begun" in look(chat).now.error


def test_whoever_lost_the_lease_stops_writing(chat):
    answer = chat.turns.get().answers.get(source__key="new")
    writer = answering._Writer.take(answer.pk)
    TurnAnswer.objects.filter(pk=answer.pk).update(lease="0" * 32)
    with pytest.raises(answering._Gone):
        writer.write()
    answer.refresh_from_db()
    assert not answer.is_whole


def test_ending_drops_what_is_being_written_and_keeps_what_was_judged(chat):
    answer_all(chat)
    choose(chat, "A")
    conversation_write(conversation=chat, number=2, text="And then?")
    conversation_end(conversation=chat)
    conversation_end(conversation=chat)
    answer_all(chat)
    assert chat.state == ConversationState.ENDED
    assert turn_last(conversation=chat).state == TurnState.ANSWERING
    assert Judgment.objects.count() == 1
    assert conversation_list(project=chat.project, annotator=chat.annotator) == []


def test_a_conversation_goes_on_in_the_next_batch_when_its_own_is_closed(chat):
    answer_all(chat)
    choose(chat, "A")
    batch_close(batch=chat.batch)
    conversation_write(conversation=chat, number=2, text="And then?")
    answer_all(chat)
    batches = list(Task.objects.order_by("pk").values_list("batch__number", "batch__state"))
    assert batches == [(1, BatchState.CLOSED), (2, BatchState.OPEN)]


def test_two_conversations_may_say_the_same(project, annie):
    for _ in range(2):
        chat = conversation_start(project=project, annotator=annie, text="The same?")
        answer_all(chat)
        choose(chat, "A", key=f"key-{chat.pk}")
    assert Judgment.objects.count() == 2
    assert Response.objects.filter(source__key="new").count() == 2


def test_a_held_out_question_is_not_trained_on(project, annie):
    PromptFactory(project=project, text="What is kept?", split=Split.HELDOUT)
    with pytest.raises(Invalid, match="other words"):
        conversation_start(project=project, annotator=annie, text="What is kept?")


def test_what_is_missing_is_said(project, annie, source, monkeypatch):
    monkeypatch.setattr(ScriptedSource, "answers", {"new": "alone"})
    with pytest.raises(Invalid, match="Only one policy"):
        conversation_start(project=project, annotator=annie, text="Hello?")
    monkeypatch.setattr(ScriptedSource, "answers", {})
    with pytest.raises(Invalid, match="No policy"):
        conversation_start(project=project, annotator=annie, text="Hello?")
    protocol = project.protocols.get()
    protocol.options = {"live_sources": ["new", "gone"]}
    protocol.save()
    with pytest.raises(Invalid, match="cannot be asked any more"):
        conversation_start(project=project, annotator=annie, text="Hello?")


def test_only_annotators_of_a_project_of_this_kind_begin(project, annie):
    with pytest.raises(NotAllowed):
        conversation_start(project=project, annotator=MembershipFactory().user, text="Hello?")
    ranking = MembershipFactory()
    with pytest.raises(Invalid, match="no chat"):
        conversation_start(project=ranking.project, annotator=ranking.user, text="Hello?")
    with pytest.raises(Invalid, match="empty"):
        conversation_start(project=project, annotator=annie, text=" \n ")
    with pytest.raises(Invalid, match="at most 10,000"):
        conversation_start(project=project, annotator=annie, text="x" * 10_001)
    assert not Conversation.objects.exists()


def test_sources_of_recent_conversations_are_kept_ready(chat):
    assert live_source_ids() == set(chat.sources.values_list("pk", flat=True))
    conversation_end(conversation=chat)
    assert live_source_ids() == set()


def test_settling_twice_makes_one_task(chat):
    answer_all(chat)
    turn_settle(turn_id=chat.turns.get().pk)
    assert Task.objects.count() == 1
