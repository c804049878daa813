"""Judgments that came faster than anybody reads, and what an admin decides about them.

Impossible is less than what a glance at each text takes: one second for the hand and the eye, and the first 20 words of
the last turn and of each answer at 1,000 words a minute. Silent reading goes at about 240 words a minute and skimming
at up to about twice that (Brysbaert, "How many words do we read per minute?", Journal of Memory and Language 109, 2019;
Rayner et al., "So much to read, so little time", Psychological Science in the Public Interest 17(1), 2016), so nobody
who looked at the answers is that fast. The time is the server's, from showing to submitting.

One such judgment proves nothing: a browser that was offline hands in what it kept, the task in hand and the fetched one
right after each other, so that at most every second one of an honest person looks instantaneous. Five of the last eight
are a burst.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from feedback.domain.states import BatchState, HoldState, Role, Standing, TaskPurpose, UserKind
from feedback.models import Batch, Hold, Judgment, Membership, TaskItem, User
from feedback.services.counting import slot_free, task_hold
from feedback.services.overlap import task_review
from feedback.services.standing import standing_set
from feedback.services.transition import transition, transition_log

GLANCE_WORDS = 20
WORDS_PER_MINUTE = 1_000
HAND_S = 1.0
WINDOW = 8
BURST = 5
_CHINESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CHARACTERS_A_WORD = 2
"""Of scripts without spaces, roughly."""


def burst_hold(*, judgment: Judgment) -> None:
    """Hold back the author's latest judgments if they are a burst of impossible speed, and stop the author.

    In the transaction that stored the judgment. Programs are asked to be fast, and whoever tries the demo may click
    through it.
    """
    seconds = _seconds(judgment)
    n_texts = len(judgment.assignment.order) + 1
    author = judgment.annotator
    if author.kind != UserKind.HUMAN or author.is_demo:
        return
    if seconds is None or seconds >= _glance_s([GLANCE_WORDS] * n_texts):
        return
    recent = list(
        Judgment.objects.filter(
            annotator=judgment.annotator_id, task__project=judgment.task.project_id,
            task__purpose=TaskPurpose.LABEL, supersedes=None,
        ).select_related("assignment", "task__prompt").order_by("-pk")[:WINDOW]
    )  # fmt: skip
    fast = [one for one in _impossible(recent) if one.hold_id is None and one.counted]
    if len(fast) >= BURST and judgment in fast:
        _hold(judgment, fast)


def hold_clear(*, hold: Hold, by: User) -> None:
    """Let the judgments of a burst count after all, and the person go on. Raises: IllegalTransition, Conflict."""
    with transaction.atomic():
        transition(obj=hold, to=HoldState.CLEARED, actor=by, decided_by=by, decided_at=timezone.now())
        _release(hold)
        for judgment in _first_words(hold):
            task_hold(task=judgment.task)
            Judgment.objects.filter(assignment=judgment.assignment_id).update(counted=True)
            task_review(task=judgment.task)


def hold_confirm(*, hold: Hold, by: User) -> None:
    """Give the slots of a burst to others; the person stays held back. Raises: IllegalTransition, Conflict."""
    with transaction.atomic():
        transition(obj=hold, to=HoldState.CONFIRMED, actor=by, decided_by=by, decided_at=timezone.now())
        for judgment in _first_words(hold):
            task_hold(task=judgment.task)
            slot_free(task=judgment.task)


def _first_words(hold: Hold) -> Iterable[Judgment]:
    """In the order of tasks, so that two who decide about bursts take rows in one order."""
    return hold.judgments.filter(supersedes=None).select_related("task__project").order_by("task")


def _hold(judgment: Judgment, fast: list[Judgment]) -> None:
    # The membership's row first: two devices of one person make one hold.
    rows = Membership.objects.filter(
        project=judgment.task.project_id, user=judgment.annotator_id, role=Role.ANNOTATOR, standing=Standing.WORKING
    )
    membership = rows.first() if rows.update(standing=Standing.WORKING) else None
    if membership is None:
        return
    times = sorted(seconds for one in fast if (seconds := _seconds(one)) is not None)
    reason = f"{len(fast)} of {WINDOW} judgments within {times[0]:.1f} to {times[-1]:.1f} seconds each"
    hold = Hold.objects.create(membership=membership, reason=reason)
    transition_log(obj=hold, from_state="", to_state=HoldState.REVIEWING, reason=reason)
    for batch_id in sorted({one.task.batch_id for one in fast if one.task.batch_id is not None}):
        Batch.objects.filter(pk=batch_id, state=BatchState.OPEN).update(state=BatchState.OPEN)  # no corrections now
    Judgment.objects.filter(assignment__in=[one.assignment_id for one in fast]).update(counted=False, hold=hold)
    standing_set(membership=membership, to=Standing.STOPPED, by=None)
    judgment.counted, judgment.hold = False, hold


def _release(hold: Hold) -> None:
    membership = hold.membership
    waiting = Hold.objects.filter(membership=membership, state=HoldState.REVIEWING)
    membership.refresh_from_db(fields=["standing", "standing_reason"])
    if membership.standing == Standing.STOPPED and not waiting.exists():
        standing_set(membership=membership, to=Standing.WORKING, by=hold.decided_by)


def _impossible(judgments: list[Judgment]) -> list[Judgment]:
    texts: dict[int, dict[int, str]] = defaultdict(dict)
    items = TaskItem.objects.filter(task__in={judgment.task_id for judgment in judgments})
    for task_id, item, text in items.values_list("task", "item", "response__text"):
        texts[task_id][item] = text
    return [judgment for judgment in judgments if _is_impossible(judgment, texts[judgment.task_id].values())]


def _is_impossible(judgment: Judgment, answers: Iterable[str]) -> bool:
    seconds = _seconds(judgment)
    turn = str(judgment.task.prompt.messages[-1]["content"])
    return seconds is not None and seconds < _glance_s(_n_words(text) for text in [turn, *answers])


def _seconds(judgment: Judgment) -> float | None:
    shown_at = judgment.assignment.shown_at
    return None if shown_at is None else (judgment.created_at - shown_at).total_seconds()


def _glance_s(n_words: Iterable[int]) -> float:
    return HAND_S + sum(min(n, GLANCE_WORDS) for n in n_words) * 60 / WORDS_PER_MINUTE


def _n_words(text: str) -> int:
    start = text[:1_000]  # far more than the words that are looked at
    return len(start.split()) + len(_CHINESE.findall(start)) // _CHARACTERS_A_WORD
