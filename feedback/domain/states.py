"""Every state an object of the labeling app can be in, and the one table of what may follow what."""

import enum
from collections.abc import Mapping

from django.db.models import TextChoices


class UserKind(TextChoices):
    HUMAN = "human", "Human"
    SIMULATED = "simulated", "Simulated"
    """A program that imitates an annotator from a hidden gold score."""
    JUDGE = "judge", "Judge"
    """A language model that annotates through the API."""


class Role(TextChoices):
    ANNOTATOR = "annotator", "Annotator"
    ADJUDICATOR = "adjudicator", "Adjudicator"
    """Settles what annotators disagree about."""
    RESEARCHER = "researcher", "Researcher"
    ADMIN = "admin", "Admin"


class Split(TextChoices):
    RANKED = "ranked", "Ranked"
    """Shown to annotators; rewards and policies train on it."""
    POOL = "pool", "Pool"
    """Never ranked; online training samples on it."""
    HELDOUT = "heldout", "Held out"
    """Nothing trains on it; policies are evaluated on it."""


class FinishReason(TextChoices):
    STOP = "stop", "Stopped"
    """The policy ended the answer itself."""
    LENGTH = "length", "Cut"
    """The answer was cut at the length limit; it gets no end token in training."""


class BatchState(TextChoices):
    SAMPLING = "sampling", "Sampling"
    """Answers are being sampled; there are no tasks yet."""
    OPEN = "open", "Open"
    """Tasks can be claimed and judgments corrected."""
    CLOSED = "closed", "Closed"
    """No claims, no corrections; late judgments of once-valid leases are kept for the next round.

    A round that ended without a policy may open it again.
    """
    FAILED = "failed", "Failed"
    """Sampling ended without any task; the transition says why."""


class AssignmentState(TextChoices):
    HELD = "held", "Held"
    """Claimed or prefetched; the lease runs and the slot is taken."""
    SUBMITTED = "submitted", "Submitted"
    """A judgment was stored."""
    EXPIRED = "expired", "Expired"
    """The lease ran out and the slot was given back; a late judgment is still accepted."""
    RELEASED = "released", "Released"
    """Skipped: given back by the annotator, who does not get this task again."""


class ConversationState(TextChoices):
    GOING = "going", "Going on"
    """The annotator may write the next turn."""
    ENDED = "ended", "Ended"
    """Ended by the annotator, or its turns are used up."""


class TurnState(TextChoices):
    ANSWERING = "answering", "Answering"
    """Both policies write; the page shows what both have."""
    READY = "ready", "Ready"
    """Both answers are whole and wait for the choice."""
    JUDGED = "judged", "Judged"
    """The choice is stored and the conversation went on with the chosen answer."""
    UNANSWERED = "unanswered", "Unanswered"
    """A policy did not answer; the turn says why and can be asked again."""


class IllegalTransition(Exception):  # noqa: N818 - reads as the sentence it is
    """A state change that the table does not allow; nothing was changed."""


LEGAL: Mapping[enum.Enum, frozenset[enum.Enum]] = {
    BatchState.SAMPLING: frozenset({BatchState.OPEN, BatchState.FAILED, BatchState.CLOSED}),
    BatchState.OPEN: frozenset({BatchState.CLOSED}),
    BatchState.CLOSED: frozenset({BatchState.OPEN}),
    BatchState.FAILED: frozenset({BatchState.SAMPLING}),
    AssignmentState.HELD: frozenset(
        {AssignmentState.SUBMITTED, AssignmentState.EXPIRED, AssignmentState.RELEASED},
    ),
    AssignmentState.EXPIRED: frozenset({AssignmentState.SUBMITTED, AssignmentState.HELD}),
    AssignmentState.SUBMITTED: frozenset(),
    AssignmentState.RELEASED: frozenset(),
    ConversationState.GOING: frozenset({ConversationState.ENDED}),
    ConversationState.ENDED: frozenset(),
    TurnState.ANSWERING: frozenset({TurnState.READY, TurnState.UNANSWERED}),
    TurnState.READY: frozenset({TurnState.JUDGED}),
    TurnState.JUDGED: frozenset(),
    TurnState.UNANSWERED: frozenset({TurnState.ANSWERING}),
}
