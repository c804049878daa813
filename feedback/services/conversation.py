"""Live comparisons as their annotator makes them: begin, write on, judge a turn, skip it, ask again, end.

Every call may be repeated: the same message under the same number is one turn, and the same key one judgment.
"""

import datetime as dt

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict, Invalid, NotAllowed
from feedback.domain.messages import Message, check_text, messages_sha256
from feedback.domain.protocol import ProtocolOptions, SkipReason
from feedback.domain.states import AssignmentState, ConversationState, Role, Split, TurnState
from feedback.domain.verdict import Verdict
from feedback.models import Batch, Conversation, Membership, Project, Prompt, Response, Task, Turn, TurnAnswer, User
from feedback.selectors.annotator import annotator_membership
from feedback.selectors.conversation import (
    live_offers,
    live_protocol,
    turn_assignment,
    turn_chance,
    turn_chosen,
    turn_judgment,
    turn_last,
)
from feedback.services.assignment import assignment_release
from feedback.services.judgment import JudgmentSubmit, judgment_submit
from feedback.services.live_batch import live_batch
from feedback.services.source import source_get_or_create
from feedback.services.standing import standing_check
from feedback.services.transition import transition, transition_log

MAX_WRITTEN_LENGTH = 10_000
"""Characters of one message: some pages. Longer ones leave no policy room to answer."""
MAX_GOING = 20
"""Open conversations of one person: each keeps two policies ready."""
_TWIN_S = 60
"""A first message that comes again within a minute is the same click, or its retry."""


def conversation_start(*, project: Project, annotator: User, text: str) -> Conversation:
    """Begin a conversation with the annotator's first message. Raises: NotAllowed, Halted, Invalid, Conflict."""
    text = _check_written(text)
    with transaction.atomic():
        # Holds the membership's row: a second click waits here and then finds the conversation of the first.
        members = Membership.objects.filter(project=project, user=annotator, role=Role.ANNOTATOR, is_active=True)
        if not members.update(is_active=True):
            raise NotAllowed(_("You are not an annotator of this project; ask its admin to add you."))
        going = Conversation.objects.filter(project=project, annotator=annotator, state=ConversationState.GOING)
        if (twin := _twin(going, text)) is not None:
            return twin
        _check_standing(project, annotator)
        if going.count() >= MAX_GOING:
            raise Conflict(_("You have %(n)d open conversations. End one of them first.") % {"n": MAX_GOING})
        sources = [
            source_get_or_create(project=project, key=offer.key, name=offer.name)
            for offer in live_offers(project=project)
        ]
        conversation = Conversation.objects.create(
            project=project, annotator=annotator, batch=live_batch(project=project, actor=annotator)
        )
        conversation.sources.add(*sources)
        transition_log(obj=conversation, from_state="", to_state=ConversationState.GOING, actor=annotator)
        prompt = _prompt(project, [{"role": "user", "content": text}])
        _ask(Turn.objects.create(conversation=conversation, number=1, prompt=prompt), annotator)
    return conversation


def conversation_write(*, conversation: Conversation, number: int, text: str, letter: str = "") -> Turn:
    """Go on with what the last turn chose, as turn `number`; `letter` chooses where neither answer was good.

    Raises: Invalid, Conflict.
    """
    text = _check_written(text)
    with transaction.atomic():
        _hold(conversation)
        last = turn_last(conversation=conversation)
        if number <= last.number:
            known = conversation.turns.select_related("prompt").filter(number=number).first()
            if known is not None and known.prompt.messages[-1]["content"] == text:
                return known
        if number != last.number + 1:
            raise Conflict(_("This conversation went on in another window; here is where it stands."))
        if number > _options(conversation).live_turns:
            raise Conflict(_("This conversation has had all its turns; begin a new one."))
        _check_standing(conversation.project, conversation.annotator)
        _settle_judged(last)
        parent = _parent(last, letter)
        messages: list[Message] = [
            *last.prompt.messages,
            {"role": "assistant", "content": parent.text},
            {"role": "user", "content": text},
        ]
        prompt = _prompt(conversation.project, messages, group=last.prompt.group, parent=parent)
        turn = Turn.objects.create(conversation=conversation, number=number, prompt=prompt)
        _ask(turn, conversation.annotator)
    return turn


def turn_judge(
    *,
    conversation: Conversation,
    verdict: Verdict,
    client_key: str,
    rationale: str = "",
    active_s: float | None = None,
) -> JudgmentSubmit:
    """Judge the newest turn, or correct it.

    Raises: what `judgment_submit` does, Conflict when there is nothing to judge.
    """
    turn = turn_last(conversation=conversation)
    assignment = turn_assignment(turn=turn)
    if assignment is None:
        raise Conflict(_("There is nothing to judge here yet; wait for both answers."))
    done = judgment_submit(
        assignment_id=assignment.pk,
        annotator=conversation.annotator,
        verdict=verdict,
        client_key=client_key,
        rationale=rationale,
        active_s=active_s,
    )
    with transaction.atomic():
        if conversation_hold(conversation_id=conversation.pk):
            turn.refresh_from_db(fields=["state"])
            _settle_judged(turn)
            conversation_end_when_full(conversation=conversation, turn=turn)
    return done


def turn_skip(*, conversation: Conversation, reason: SkipReason, note: str = "") -> None:
    """Leave the newest turn unjudged; the conversation goes on with one of the two, drawn. Raises: Conflict."""
    with transaction.atomic():
        _hold(conversation)
        turn = turn_last(conversation=conversation)
        if turn.state != TurnState.READY or turn_judgment(turn=turn) is not None:
            raise Conflict(_("There is nothing to skip here; look again."))
        _leave_unjudged(turn, reason, note)
        transition(obj=turn, to=TurnState.JUDGED, actor=conversation.annotator, reason=f"skipped: {reason}")
        conversation_end_when_full(conversation=conversation, turn=turn)


def turn_ask_again(*, conversation: Conversation) -> Turn:
    """Ask both policies once more after one of them did not answer; asking twice asks once. Raises: Conflict."""
    with transaction.atomic():
        _hold(conversation)
        turn = turn_last(conversation=conversation)
        if turn.state == TurnState.UNANSWERED:
            transition(obj=turn, to=TurnState.ANSWERING, actor=conversation.annotator, error="")
            turn.answers.update(text="", is_whole=False, finish_reason="", lease=None, beat_at=timezone.now())
            _send(turn)
    return turn


def conversation_end(*, conversation: Conversation) -> None:
    """End a conversation; an answer that is being written is dropped, a turn that waits is not judged any more."""
    with transaction.atomic():
        if not conversation_hold(conversation_id=conversation.pk):
            return
        turn = turn_last(conversation=conversation)
        if turn.state == TurnState.READY and turn_judgment(turn=turn) is None:
            _leave_unjudged(turn, SkipReason.OTHER, "the conversation was ended")
        turn.answers.update(lease=None)  # whoever writes finds that nobody waits, and stops
        transition(obj=conversation, to=ConversationState.ENDED, actor=conversation.annotator)


def conversation_hold(*, conversation_id: int) -> bool:
    """Hold a conversation's row until the caller's transaction ends, and its turns with it; False when it was ended."""
    rows = Conversation.objects.filter(pk=conversation_id, state=ConversationState.GOING)
    return bool(rows.update(state=ConversationState.GOING))


def conversation_end_when_full(*, conversation: Conversation, turn: Turn) -> None:
    """End a conversation whose last turn was judged, in the caller's transaction."""
    if turn.number >= _options(conversation).live_turns and conversation.state == ConversationState.GOING:
        transition(obj=conversation, to=ConversationState.ENDED, reason="all its turns are used")


def _check_standing(project: Project, annotator: User) -> None:
    """A turn is work like any task. Raises: Halted."""
    membership = annotator_membership(project=project, user=annotator)
    if membership is not None:
        standing_check(membership=membership)


def _check_written(text: str) -> str:
    return check_text(text.replace("\r\n", "\n").strip(), _("Your message"), max_length=MAX_WRITTEN_LENGTH)


def _hold(conversation: Conversation) -> None:
    """Hold the conversation. Raises: Conflict when it was ended."""
    if not conversation_hold(conversation_id=conversation.pk):
        raise Conflict(_("This conversation was ended; begin a new one."))


def _options(conversation: Conversation) -> ProtocolOptions:
    return ProtocolOptions.from_json(live_protocol(project=conversation.project).options)


def _twin(going: QuerySet[Conversation], text: str) -> Conversation | None:
    since = timezone.now() - dt.timedelta(seconds=_TWIN_S)
    first = Turn.objects.filter(conversation__in=going, conversation__created_at__gte=since, number=1)
    for turn in first.exclude(state=TurnState.JUDGED).select_related("conversation", "prompt").order_by("-pk"):
        if turn.prompt.messages[-1]["content"] == text:
            return turn.conversation
    return None


def _prompt(project: Project, messages: list[Message], *, group: str = "", parent: Response | None = None) -> Prompt:
    """Return the project's prompt of these messages. All prompts of a conversation share a group, and so a half."""
    digest = messages_sha256(messages)
    prompt, _created = Prompt.objects.get_or_create(
        project=project,
        content_sha256=digest,
        defaults={"messages": messages, "group": group or digest, "split": Split.RANKED, "parent_response": parent},
    )
    if prompt.split != Split.RANKED:
        raise Invalid(_("This very question is kept for other uses in this project; ask it in other words."))
    return prompt


def _ask(turn: Turn, annotator: User) -> None:
    transition_log(obj=turn, from_state="", to_state=TurnState.ANSWERING, actor=annotator)
    sources = list(turn.conversation.sources.order_by("pk"))
    turn_chance(turn=turn, purpose="order").shuffle(sources)  # the first one stands under A
    TurnAnswer.objects.bulk_create([TurnAnswer(turn=turn, source=source, beat_at=timezone.now()) for source in sources])
    _send(turn)


def _send(turn: Turn) -> None:
    for answer_id in turn.answers.order_by("pk").values_list("pk", flat=True):
        dispatch("feedback.turn_answer", answer_id=answer_id)


def _settle_judged(turn: Turn) -> None:
    """Note that a turn has its judgment, wherever that was given."""
    if turn.state == TurnState.READY and turn_judgment(turn=turn) is not None:
        transition(obj=turn, to=TurnState.JUDGED, actor=turn.conversation.annotator)


def _parent(turn: Turn, letter: str) -> Response:
    """Return the stored answer that the next turn goes on from. Raises: Invalid, Conflict."""
    if turn.state == TurnState.READY:
        raise Invalid(_("Say first which answer is better."))
    if turn.state != TurnState.JUDGED:
        raise Conflict(_("Wait until both answers are there."))
    chosen = turn_chosen(turn=turn, letter=letter)
    if chosen is None:
        raise Invalid(_("Choose the answer to go on with, or end the conversation."))
    responses = Response.objects.filter(prompt=turn.prompt_id, source=chosen.source_id, text=chosen.text)
    return responses.order_by("-pk")[0]


def _leave_unjudged(turn: Turn, reason: SkipReason, note: str) -> None:
    """Give a turn's task back for good: nobody else could take it, so nobody is waited for."""
    assignment = turn_assignment(turn=turn)
    assert assignment is not None, "a turn that is ready has its task and assignment"
    if assignment.state == AssignmentState.HELD:
        assignment_release(assignment=assignment, annotator=assignment.annotator, reason=reason, note=note)
    if Task.objects.filter(pk=assignment.task_id, overlap__gt=0).update(overlap=0, open_slots=0):
        Batch.objects.filter(pk=turn.conversation.batch_id).update(n_wanted=F("n_wanted") - 1)
