"""Writing the two answers of a live turn, and making the turn a task once both are whole.

A worker holds one answer under a lease and says every few seconds that it lives. One that dies is followed by the next:
the answer is asked for again from its beginning, with the same seed. What a policy says when it fails stays in the log,
for it would tell who it is.
"""

import contextlib
import dataclasses
import datetime as dt
import time
import uuid
from collections.abc import Generator, Iterator
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.domain.messages import storable
from feedback.domain.states import (
    AssignmentState,
    ConversationState,
    FinishReason,
    IllegalTransition,
    TaskPurpose,
    TurnState,
)
from feedback.models import Assignment, Batch, Response, Task, TaskItem, Transition, Turn, TurnAnswer
from feedback.ports import Decoding, Piece, SourceDown, SourceRefused, answer_source
from feedback.selectors.conversation import live_protocol, turn_answers, turn_chance
from feedback.services.batch import merge_answers
from feedback.services.conversation import conversation_end_when_full, conversation_hold
from feedback.services.live_batch import live_batch
from feedback.services.transition import transition, transition_log

log = structlog.get_logger(__name__)

MAX_ANSWER_LENGTH = 50_000
"""Characters after which an answer is cut: an endpoint that never stops must not fill the database."""
MAX_ANSWER_S = 300.0
"""Nobody waits longer before a page; whatever takes longer has failed."""
STORE_S = 0.4
"""Between two writes of a growing answer: the page looks once a second."""
BEAT_S = 2.0
LEASE_S = 15.0
"""Without a sign of life for this long a worker is dead: seven beats."""
UNTAKEN_S = 120.0
"""A message that no worker takes for two minutes never will be: there is no worker, or it is far behind."""
_RETRY_S = 1.0

_SILENT = gettext_noop("One of the two policies does not answer. Nothing is lost: try again in a moment.")
_REFUSED = gettext_noop(
    "One of the two policies cannot answer this. The conversation may have grown too long for it: end it and begin a "
    "new one, or try again."
)
_UNTAKEN = gettext_noop("Nothing has begun to answer. Try again; if that does not help, tell the project's admin.")


class _Gone(Exception):  # noqa: N818 - what happened
    """Another worker has the answer, or nobody waits for it any more."""


def turn_answer(*, answer_id: int) -> None:
    """Write one answer of a turn, unless it is whole or somebody lives who writes it."""
    writer = _Writer.take(answer_id)
    if writer is None:
        return
    turn = writer.answer.turn
    try:
        writer.write()
    except _Gone:
        log.info("turn_answer_left", answer_id=answer_id)
    except SourceDown as error:
        turn_fail(turn=turn, error=_SILENT, reason=str(error))
    except SourceRefused as error:
        turn_fail(turn=turn, error=_REFUSED, reason=str(error))
    else:
        turn_settle(turn_id=turn.pk)


def turn_fail(*, turn: Turn, error: str, reason: str) -> None:
    """Note that a turn got no answers, in words that do not tell which policy failed; `reason` is for the log."""
    log.warning("turn_unanswered", turn_id=turn.pk, reason=reason)
    try:
        with transaction.atomic():
            transition(obj=turn, to=TurnState.UNANSWERED, error=error)
            turn.answers.update(lease=None)
    except (Conflict, IllegalTransition):
        log.info("turn_moved_meanwhile", turn_id=turn.pk)


def turn_settle(*, turn_id: int) -> None:
    """Make the turn a task of its annotator once both answers are whole; settling twice settles once."""
    turns = Turn.objects.select_related("conversation__project", "conversation__annotator", "prompt")
    with transaction.atomic():
        if not conversation_hold(conversation_id=turns.get(pk=turn_id).conversation_id):
            return
        turn = turns.get(pk=turn_id)
        shown = turn_answers(turn=turn)
        if turn.state != TurnState.ANSWERING or not all(answer.is_whole for answer in shown):
            return
        responses = _store_responses(turn, shown)
        items = merge_answers([(response.pk, response.text) for response in responses])
        order = [items[response.pk] for response in responses]
        if len(set(order)) == 1:
            transition(obj=turn, to=TurnState.READY)
            transition(obj=turn, to=TurnState.JUDGED, reason="both answers are the same")
            conversation_end_when_full(conversation=turn.conversation, turn=turn)
            return
        transition(obj=turn, to=TurnState.READY, task=_task(turn, responses, items, order))


def turns_wake() -> None:
    """Look after turns whose worker died or whose message was lost."""
    stale = timezone.now() - dt.timedelta(seconds=LEASE_S)
    untaken = timezone.now() - dt.timedelta(seconds=UNTAKEN_S)
    answering = Turn.objects.filter(state=TurnState.ANSWERING, conversation__state=ConversationState.GOING)
    for turn in answering.prefetch_related("answers"):
        waiting = [answer for answer in turn.answers.all() if not answer.is_whole]
        if not waiting:
            turn_settle(turn_id=turn.pk)
        elif any(answer.lease is None and answer.beat_at < untaken for answer in waiting):
            turn_fail(turn=turn, error=_UNTAKEN, reason="no worker of the queue took it")
        for answer in waiting:
            if answer.beat_at < stale:
                dispatch("feedback.turn_answer", answer_id=answer.pk)


class _Writer:
    """The worker's hold on one answer."""

    def __init__(self, answer: TurnAnswer) -> None:
        self.answer = answer
        self._held = TurnAnswer.objects.filter(pk=answer.pk, lease=answer.lease)

    @classmethod
    def take(cls, answer_id: int) -> "_Writer | None":
        now = timezone.now()
        free = Q(lease=None) | Q(beat_at__lt=now - dt.timedelta(seconds=LEASE_S))
        wanted = TurnAnswer.objects.filter(free, pk=answer_id, is_whole=False)
        if not wanted.update(lease=uuid.uuid4(), beat_at=now, text=""):
            return None
        answers = TurnAnswer.objects.select_related("source", "turn__prompt", "turn__conversation__project")
        answer = answers.get(pk=answer_id)
        is_wanted = answer.turn.state == TurnState.ANSWERING
        return cls(answer) if is_wanted and answer.turn.conversation.state == ConversationState.GOING else None

    def write(self) -> None:
        """Store the answer as it comes. Raises: _Gone, SourceDown, SourceRefused."""
        give_up_at = time.monotonic() + settings.ANSWER_PATIENCE_S
        while True:
            try:
                self._write_once()
            except SourceDown:
                has_begun = bool(self._held.exclude(text="").exists())
                if has_begun or time.monotonic() >= give_up_at:
                    raise
                self._store("")
                time.sleep(_RETRY_S)
            else:
                return

    def _write_once(self) -> None:
        text, reason, stored_at = "", "", time.monotonic()
        with _Reading(self._stream()) as pieces:
            for piece in pieces:
                if piece is not None:
                    text, reason = text + storable(piece.text), piece.finish_reason
                if len(text) > MAX_ANSWER_LENGTH:
                    text, reason = text[:MAX_ANSWER_LENGTH], FinishReason.LENGTH
                    break
                if piece is None or time.monotonic() - stored_at >= STORE_S:
                    self._store(text)
                    stored_at = time.monotonic()
        if not text.strip():
            raise SourceRefused("the answer is empty")
        self._store(text, is_whole=True, finish_reason=_finish(reason))

    def _store(self, text: str, **changes: Any) -> None:
        if not self._held.update(text=text, beat_at=timezone.now(), **changes):
            raise _Gone

    def _stream(self) -> Generator[Piece, None, None]:
        project = self.answer.turn.conversation.project
        return answer_source().stream(
            project=project,
            key=self.answer.source.key,
            messages=self.answer.turn.prompt.messages,
            decoding=_decoding(self.answer),
        )


class _Reading:
    """Reads a stream in a thread of its own, so that a silent one does not silence its worker.

    Iterating yields the pieces as they come, and None every BEAT_S in which none came.
    """

    def __init__(self, stream: Generator[Piece, None, None]) -> None:
        self._stream = stream
        self._came: SimpleQueue[Piece | Exception | None] = SimpleQueue()
        self._is_left = Event()

    def __enter__(self) -> Iterator[Piece | None]:
        Thread(target=self._read, name="live-answer", daemon=True).start()
        return self._pieces()

    def __exit__(self, *_: object) -> None:
        self._is_left.set()

    def _pieces(self) -> Iterator[Piece | None]:
        ends_at = time.monotonic() + MAX_ANSWER_S
        while time.monotonic() < ends_at:
            try:
                came = self._came.get(timeout=BEAT_S)
            except Empty:
                yield None
                continue
            if came is None:
                return
            if isinstance(came, Exception):
                raise came
            yield came
        raise SourceDown(f"no end of the answer after {MAX_ANSWER_S:.0f} s")

    def _read(self) -> None:
        try:
            with contextlib.closing(self._stream) as pieces:
                for piece in pieces:
                    self._came.put(piece)
                    if self._is_left.is_set():
                        return
            self._came.put(None)
        except Exception as error:  # noqa: BLE001 - the boundary of a thread: raised again in the worker's
            self._came.put(error)


def _decoding(answer: TurnAnswer) -> Decoding:
    turn = answer.turn
    asked = Transition.objects.filter(
        object_type="feedback.turn", object_id=turn.pk, to_state=TurnState.ANSWERING
    ).count()
    seed = turn_chance(turn=turn, purpose=f"seed:{answer.source_id}:{asked}").getrandbits(31)
    return Decoding(seed=seed, max_new_tokens=answer_source().max_new_tokens(project=turn.conversation.project))


def _finish(reason: str) -> str:
    return FinishReason.LENGTH if reason == "length" else FinishReason.STOP


def _store_responses(turn: Turn, shown: list[TurnAnswer]) -> list[Response]:
    conversation = turn.conversation
    # Holds the project: two conversations may come to the same prompt in the same batch.
    conversation.batch = live_batch(project=conversation.project, preferred=conversation.batch)
    conversation.save(update_fields=["batch"])
    conversation.batch.prompts.add(turn.prompt)
    return [
        Response.objects.create(
            batch=conversation.batch,
            prompt=turn.prompt,
            source=answer.source,
            sample=Response.objects.filter(batch=conversation.batch, prompt=turn.prompt, source=answer.source).count(),
            text=answer.text,
            finish_reason=answer.finish_reason,
            decoding=dataclasses.asdict(_decoding(answer)),
        )
        for answer in shown
    ]


def _task(turn: Turn, responses: list[Response], items: dict[int, int], order: list[int]) -> Task:
    """Make the task of a turn and give it to its annotator: it was never open to anybody else."""
    conversation = turn.conversation
    project, now = conversation.project, timezone.now()
    task = Task.objects.create(
        project=project,
        batch=conversation.batch,
        prompt=turn.prompt,
        purpose=TaskPurpose.LIVE,
        overlap=1,
        open_slots=0,
    )
    Batch.objects.filter(pk=conversation.batch_id).update(n_tasks=F("n_tasks") + 1, n_wanted=F("n_wanted") + 1)
    TaskItem.objects.bulk_create(
        [TaskItem(task=task, response=response, item=items[response.pk]) for response in responses]
    )
    assignment = Assignment.objects.create(
        task=task,
        annotator=conversation.annotator,
        order=order,
        protocol=live_protocol(project=project),
        shown_at=now,
        lease_expires_at=now + dt.timedelta(seconds=project.lease_s),
    )
    transition_log(obj=assignment, from_state="", to_state=AssignmentState.HELD, actor=conversation.annotator)
    return task
