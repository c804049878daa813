"""Conversations as their annotator may see them: what was said, and two answers under letters; no ids, times, sources.

Which one goes on after a tie is drawn from the turn's own seed, which the site's secret keeps from being guessed.
"""

import dataclasses
import datetime as dt
import random

from django.db.models import Count, Max, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid
from feedback.domain.masking import names_masked
from feedback.domain.messages import Message
from feedback.domain.pacing import texts_in_step
from feedback.domain.protocol import ProtocolKind, ProtocolOptions
from feedback.domain.ranking import LETTERS
from feedback.domain.states import ConversationState, TurnState
from feedback.models import Assignment, Conversation, Judgment, Project, Protocol, Turn, TurnAnswer, User
from feedback.ports import Offer, answer_source
from feedback.selectors.assignment import AnswerView

SERVED_DAYS = 1
"""How long the sources of a conversation stay ready after its last turn; asked later, they are made ready again."""


@dataclasses.dataclass(frozen=True)
class TurnView:
    """One turn as it is shown."""

    number: int
    text: str
    """What the annotator wrote."""
    state: TurnState
    answers: list[AnswerView]
    """Both, as far as they may be shown."""
    chosen: AnswerView | None
    """The one that the conversation goes on with, once that is known."""
    is_alike: bool
    """Both gave the same text, so there was nothing to judge."""
    must_pick: bool
    """Neither was good: the annotator says which one to go on with."""
    error: str
    assignment: Assignment | None
    """To be judged, or judged."""


@dataclasses.dataclass(frozen=True)
class ConversationView:
    conversation_id: int
    is_going: bool
    turns: list[TurnView]
    """All but the last one."""
    now: TurnView
    may_write: bool
    next_number: int
    n_left: int
    """Turns that are still to come."""


@dataclasses.dataclass(frozen=True)
class OpenConversation:
    """A line in the list of conversations to go on with."""

    conversation_id: int
    text: str
    """How it began."""
    n_turns: int
    last_at: dt.datetime


def conversation_get(*, project: Project, annotator: User, conversation_id: int) -> Conversation | None:
    """Return a conversation of this person in this project; anybody else's is not there."""
    conversations = Conversation.objects.filter(project=project, annotator=annotator)
    return conversations.select_related("project").filter(pk=conversation_id).first()


def conversation_list(*, project: Project, annotator: User) -> list[OpenConversation]:
    """Return the conversations that go on, the last used first."""
    going = _going(project, annotator).annotate(n_turns=Count("turns"), last_at=Max("turns__created_at"))
    first = Turn.objects.filter(conversation__in=going, number=1).select_related("prompt")
    begun = {turn.conversation_id: turn.prompt.messages[-1]["content"] for turn in first}
    return [
        OpenConversation(conversation.pk, begun[conversation.pk], conversation.n_turns, conversation.last_at)
        for conversation in going.order_by("-last_at")
    ]


def conversation_view(*, conversation: Conversation) -> ConversationView:
    """Return all that its annotator may see of a conversation."""
    protocol = live_protocol(project=conversation.project)
    options = ProtocolOptions.from_json(protocol.options)
    turns = list(conversation.turns.select_related("prompt", "task").prefetch_related("answers").order_by("number"))
    *past, last = turns
    following = [turn.prompt.messages for turn in turns[1:]]
    now = turn_view(turn=last, options=options)
    is_going = conversation.state == ConversationState.GOING
    n_left = max(0, options.live_turns - last.number)
    return ConversationView(
        conversation_id=conversation.pk,
        is_going=is_going,
        turns=[_past_turn(turn, later, options) for turn, later in zip(past, following, strict=True)],
        now=now,
        may_write=is_going and now.state == TurnState.JUDGED and n_left > 0,
        next_number=last.number + 1,
        n_left=n_left,
    )


def turn_view(*, turn: Turn, options: ProtocolOptions) -> TurnView:
    """Return the newest turn of a conversation."""
    state, judgment = TurnState(turn.state), turn_judgment(turn=turn)
    if state == TurnState.READY and judgment is not None:
        state = TurnState.JUDGED  # judged elsewhere, for instance through the API
    shown = turn_answers(turn=turn)
    must_pick = state == TurnState.JUDGED and judgment is not None and _is_undecided(judgment)
    chosen = turn_chosen(turn=turn) if state == TurnState.JUDGED else None
    return TurnView(
        number=turn.number,
        text=turn.prompt.messages[-1]["content"],
        state=state,
        answers=_letters(_visible(shown, state, options)),
        chosen=_under_letter(shown, chosen, options) if chosen is not None else None,
        is_alike=state == TurnState.JUDGED and turn.task_id is None,
        must_pick=must_pick,
        error=turn.error if state == TurnState.UNANSWERED else "",
        assignment=turn_assignment(turn=turn),
    )


def turn_last(*, conversation: Conversation) -> Turn:
    """Return the newest turn; a conversation is made with its first one."""
    return conversation.turns.select_related("prompt", "task", "conversation__project").order_by("-number")[0]


def turn_answers(*, turn: Turn) -> list[TurnAnswer]:
    """Return both answers in the order in which they are shown, which is the order they were made in: first A."""
    return sorted(turn.answers.all(), key=lambda answer: answer.pk)


def turn_chosen(*, turn: Turn, letter: str = "") -> TurnAnswer | None:
    """Return the answer that a judged turn goes on with: the better one, or after a tie or a skip one that is drawn.

    Where neither was good it is the one under `letter`, and None without one.
    """
    shown = turn_answers(turn=turn)
    judgment = turn_judgment(turn=turn)
    if judgment is None or not _is_undecided(judgment):
        ranks = _ranks_as_shown(turn, judgment)
        best = [answer for answer, rank in zip(shown, ranks, strict=True) if rank == min(ranks)]
        return turn_chance(turn=turn, purpose="tie").choice(best)
    return shown[LETTERS.index(letter)] if letter and letter in LETTERS[: len(shown)] else None


def turn_judgment(*, turn: Turn) -> Judgment | None:
    """Return the judgment of a turn that stands."""
    judgments = Judgment.objects.filter(task=turn.task_id, superseded_by=None).select_related("assignment")
    return judgments.order_by("-pk").first() if turn.task_id else None


def turn_assignment(*, turn: Turn) -> Assignment | None:
    """Return the annotator's assignment of a turn that became a task."""
    assignments = Assignment.objects.select_related("task__project", "task__prompt", "protocol", "annotator")
    return assignments.filter(task=turn.task_id).first() if turn.task_id else None


def turn_chance(*, turn: Turn, purpose: str) -> random.Random:
    """Return the random numbers of a turn for one purpose: the same ones whenever they are asked for."""
    return random.Random(salted_hmac("feedback.turn", f"{turn.pk}:{purpose}").hexdigest())  # noqa: S311 - keyed


def live_protocol(*, project: Project) -> Protocol:
    """Return the newest version of the protocol that asks for conversations. Raises: Invalid."""
    protocol = Protocol.objects.filter(project=project, kind=ProtocolKind.LIVE).order_by("-number").first()
    if protocol is None:
        raise Invalid(_("This project compares answers that were prepared; there is no chat."))
    return protocol


def live_offers(*, project: Project) -> list[Offer]:
    """Return the two sources that answer in new conversations. Raises: Invalid, which says what is missing."""
    wanted = ProtocolOptions.from_json(live_protocol(project=project).options).live_sources
    offers = list(answer_source().offers(project=project))
    by_key = {offer.key: offer for offer in offers}
    if not by_key.keys() >= set(wanted):  # which one is missing is nothing that an annotator may know
        raise Invalid(
            _("A policy of this comparison cannot be asked any more. The project's admin can choose another one.")
        )
    if wanted:
        return [by_key[key] for key in wanted]
    if not offers:
        raise Invalid(_("No policy answers in this project yet: deploy one, or register an endpoint."))
    if len(offers) == 1:
        raise Invalid(
            _(
                "Only one policy answers in this project yet. A comparison needs a second one: deploy it, or register "
                "an endpoint."
            )
        )
    return offers[:2]


def live_source_ids() -> set[int]:
    """Return the sources that must be ready to answer, since a conversation with them goes on."""
    recent = timezone.now() - dt.timedelta(days=SERVED_DAYS)
    going = Conversation.objects.filter(state=ConversationState.GOING, turns__created_at__gte=recent)
    return set(going.values_list("sources", flat=True))


def _going(project: Project, annotator: User) -> QuerySet[Conversation]:
    return Conversation.objects.filter(project=project, annotator=annotator, state=ConversationState.GOING)


def _past_turn(turn: Turn, later: list[Message], options: ProtocolOptions) -> TurnView:
    shown = turn_answers(turn=turn)
    text = later[-2]["content"]  # what was chosen stands before what the annotator wrote next
    chosen = next((answer for answer in shown if answer.text == text), shown[0])
    return TurnView(
        number=turn.number,
        text=turn.prompt.messages[-1]["content"],
        state=TurnState.JUDGED,
        answers=_letters([names_masked(answer.text, options.masked_names) for answer in shown]),
        chosen=_under_letter(shown, chosen, options),
        is_alike=turn.task_id is None,
        must_pick=False,
        error="",
        assignment=None,
    )


def _visible(shown: list[TurnAnswer], state: TurnState, options: ProtocolOptions) -> list[str]:
    texts = [names_masked(answer.text, options.masked_names) for answer in shown]
    if state in (TurnState.READY, TurnState.JUDGED):
        return texts
    longest = max((len(name) for name in options.masked_names), default=0)
    return texts_in_step(texts, n_held_back=longest)


def _letters(texts: list[str]) -> list[AnswerView]:
    return [AnswerView(letter, text) for letter, text in zip(LETTERS, texts, strict=False)]


def _under_letter(shown: list[TurnAnswer], chosen: TurnAnswer, options: ProtocolOptions) -> AnswerView:
    return AnswerView(LETTERS[shown.index(chosen)], names_masked(chosen.text, options.masked_names))


def _is_undecided(judgment: Judgment) -> bool:
    return judgment.all_bad or all(rank is None for rank in judgment.ranks)


def _ranks_as_shown(turn: Turn, judgment: Judgment | None) -> list[int]:
    if judgment is None:
        return [1] * len(turn_answers(turn=turn))
    ranks = [judgment.ranks[item] for item in judgment.assignment.order]
    return [len(ranks) + 1 if rank is None else rank for rank in ranks]
