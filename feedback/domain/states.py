"""Every state an object of the labeling app can be in, and the one table of what may follow what."""

import enum
from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class UserKind(TextChoices):
    HUMAN = "human", _("Human")
    SIMULATED = "simulated", _("Simulated")
    """A program that imitates an annotator from a hidden gold score."""
    JUDGE = "judge", _("Judge")
    """A language model that annotates through the API."""


class Role(TextChoices):
    ANNOTATOR = "annotator", _("Annotator")
    ADJUDICATOR = "adjudicator", _("Adjudicator")
    """Settles what annotators disagree about."""
    RESEARCHER = "researcher", _("Researcher")
    ADMIN = "admin", _("Admin")


class Split(TextChoices):
    RANKED = "ranked", _("Ranked")
    """Shown to annotators; rewards and policies train on it."""
    POOL = "pool", _("Pool")
    """Never ranked; online training samples on it."""
    HELDOUT = "heldout", _("Held out")
    """Nothing trains on it; policies are evaluated on it."""


class FinishReason(TextChoices):
    STOP = "stop", _("Stopped")
    """The policy ended the answer itself."""
    LENGTH = "length", _("Cut")
    """The answer was cut at the length limit; it gets no end token in training."""


class BatchState(TextChoices):
    SAMPLING = "sampling", _("Sampling")
    """Answers are being sampled; there are no tasks yet."""
    OPEN = "open", _("Open")
    """Tasks can be claimed and judgments corrected."""
    CLOSED = "closed", _("Closed")
    """No claims, no corrections; late judgments of once-valid leases are kept for the next round.

    A round that ended without a policy may open it again.
    """
    FAILED = "failed", _("Failed")
    """Sampling ended without any task; the transition says why."""


class AssignmentState(TextChoices):
    HELD = "held", _("Held")
    """Claimed or prefetched; the lease runs and the slot is taken."""
    SUBMITTED = "submitted", _("Submitted")
    """A judgment was stored."""
    EXPIRED = "expired", _("Expired")
    """The lease ran out and the slot was given back; a late judgment is still accepted."""
    RELEASED = "released", _("Released")
    """Skipped: given back by the annotator, who does not get this task again."""


class ConversationState(TextChoices):
    GOING = "going", _("Going on")
    """The annotator may write the next turn."""
    ENDED = "ended", _("Ended")
    """Ended by the annotator, or its turns are used up."""


class TurnState(TextChoices):
    ANSWERING = "answering", _("Answering")
    """Both policies write; the page shows what both have."""
    READY = "ready", _("Ready")
    """Both answers are whole and wait for the choice."""
    JUDGED = "judged", _("Judged")
    """The choice is stored and the conversation went on with the chosen answer."""
    UNANSWERED = "unanswered", _("Unanswered")
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
