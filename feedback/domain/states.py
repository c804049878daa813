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
    ASIDE = "aside", _("Kept aside")
    """Neither ranked nor trained nor evaluated on: of tasks whose answer is known."""


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


class TaskPurpose(TextChoices):
    """Why somebody is asked. Before they answer, annotators cannot tell the purposes apart but for training."""

    LABEL = "label", _("Label")
    """An ordinary task of a batch; its judgments are what exports and training read."""
    LIVE = "live", _("Live turn")
    """A turn of a live conversation; it stays with the person who wrote it and is exported like a label."""
    REPEAT = "repeat", _("Repeat")
    """A task once more for the same person, who should judge it the same way again."""
    GOLD = "gold", _("Gold")
    """A task with a known answer, hidden among the others."""
    TRAINING = "training", _("Training")
    """A task with a known answer whose explanation is shown right after it is judged."""
    QUALIFICATION = "qualification", _("Qualification")
    """A task with a known answer that a person must mostly get right before the first real one."""


EXPORTED = (TaskPurpose.LABEL, TaskPurpose.LIVE)
"""Purposes whose judgments are data; those of the others say something about people."""
KNOWN = (TaskPurpose.GOLD, TaskPurpose.TRAINING, TaskPurpose.QUALIFICATION)
"""Purposes of tasks that have a known answer."""
LEARNED_FROM = (TaskPurpose.TRAINING, TaskPurpose.QUALIFICATION)
"""What newcomers get before the first real task, in this order; nothing in it can be corrected."""


class Standing(TextChoices):
    """What an annotator may do in a project now."""

    LEARNING = "learning", _("Learning")
    """Gets training and qualification tasks only."""
    WORKING = "working", _("Working")
    """Gets tasks."""
    UNQUALIFIED = "unqualified", _("Not qualified")
    """Got too many qualification tasks wrong."""
    STOPPED = "stopped", _("Held back")
    """Judged impossibly fast; the judgments of that burst count for nothing until an admin has looked."""
    PAUSED = "paused", _("Paused")
    """An admin asked for a pause."""
    EXCLUDED = "excluded", _("Excluded")
    """None of this person's judgments in open batches counts, and their tasks went to others."""


class AdjudicationState(TextChoices):
    WAITING = "waiting", _("Waiting")
    """People still disagree at the highest overlap; an adjudicator is to decide."""
    DECIDED = "decided", _("Decided")
    """An adjudicator has judged the task."""


class HoldState(TextChoices):
    REVIEWING = "reviewing", _("Under review")
    """An admin has not looked yet; the judgments keep their slots and count for nothing."""
    CLEARED = "cleared", _("Cleared")
    """The judgments count."""
    CONFIRMED = "confirmed", _("Confirmed")
    """The judgments do not count and their slots went to others."""


class QualityState(TextChoices):
    QUEUED = "queued", _("Queued")
    """Asked for; a worker takes it up."""
    COMPUTING = "computing", _("Computing")
    """A worker computes; a worker that died is replaced after a while."""
    COMPUTED = "computed", _("Computed")
    """The figures are there."""
    UNCOMPUTED = "uncomputed", _("Failed")
    """It ended without figures; the report says why."""


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
    Standing.LEARNING: frozenset({Standing.WORKING, Standing.UNQUALIFIED, Standing.PAUSED, Standing.EXCLUDED}),
    Standing.WORKING: frozenset({Standing.LEARNING, Standing.STOPPED, Standing.PAUSED, Standing.EXCLUDED}),
    Standing.UNQUALIFIED: frozenset({Standing.LEARNING, Standing.WORKING, Standing.EXCLUDED}),
    Standing.STOPPED: frozenset({Standing.WORKING, Standing.PAUSED, Standing.EXCLUDED}),
    Standing.PAUSED: frozenset({Standing.LEARNING, Standing.WORKING, Standing.EXCLUDED}),
    Standing.EXCLUDED: frozenset({Standing.LEARNING, Standing.WORKING}),
    AdjudicationState.WAITING: frozenset({AdjudicationState.DECIDED}),
    AdjudicationState.DECIDED: frozenset(),
    HoldState.REVIEWING: frozenset({HoldState.CLEARED, HoldState.CONFIRMED}),
    HoldState.CLEARED: frozenset(),
    HoldState.CONFIRMED: frozenset(),
    QualityState.QUEUED: frozenset({QualityState.COMPUTING}),
    QualityState.COMPUTING: frozenset({QualityState.COMPUTED, QualityState.UNCOMPUTED, QualityState.QUEUED}),
    QualityState.COMPUTED: frozenset(),
    QualityState.UNCOMPUTED: frozenset({QualityState.QUEUED}),
}
