from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.states import LEGAL, ConversationState, TurnState


class Conversation(models.Model):
    """One annotator's chat, in which two policies answer every turn."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="conversations")
    annotator = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="conversations")
    batch = models.ForeignKey("feedback.Batch", on_delete=models.PROTECT, related_name="conversations")
    """Where the tasks of its turns belong."""
    sources = models.ManyToManyField("feedback.Source", related_name="+")
    """The two that answer; which one stands under A is drawn anew for every turn."""
    state = models.CharField(max_length=16, choices=ConversationState.choices, default=ConversationState.GOING)
    created_at = models.DateTimeField(auto_now_add=True)

    legal_transitions = LEGAL

    class Meta:
        indexes = [models.Index(fields=["annotator", "state"])]

    def __str__(self) -> str:
        return _("Conversation %(number)s of %(annotator)s") % {"number": self.pk, "annotator": self.annotator}


class Turn(models.Model):
    """What the annotator wrote, and the two answers while they are being written."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveSmallIntegerField()
    prompt = models.ForeignKey("feedback.Prompt", on_delete=models.PROTECT, related_name="+")
    """The whole conversation up to and including what the annotator wrote."""
    state = models.CharField(max_length=16, choices=TurnState.choices, default=TurnState.ANSWERING)
    error = models.TextField(blank=True)
    task = models.OneToOneField("feedback.Task", null=True, blank=True, on_delete=models.PROTECT, related_name="turn")
    """Made when both answers are whole; from then on it is a task like any other."""
    created_at = models.DateTimeField(auto_now_add=True)

    legal_transitions = LEGAL

    class Meta:
        constraints = [models.UniqueConstraint(fields=["conversation", "number"], name="turn_once")]

    def __str__(self) -> str:
        return _("Turn %(number)s of %(conversation)s") % {"number": self.number, "conversation": self.conversation}


class TurnAnswer(models.Model):
    """One policy's answer as it grows."""

    turn = models.ForeignKey(Turn, on_delete=models.CASCADE, related_name="answers")
    source = models.ForeignKey("feedback.Source", on_delete=models.PROTECT, related_name="+")
    text = models.TextField(blank=True)
    is_whole = models.BooleanField(default=False)
    finish_reason = models.CharField(max_length=16, blank=True)
    lease = models.UUIDField(null=True, blank=True)
    """Of the worker that writes it; who no longer holds it stops."""
    beat_at = models.DateTimeField(default=timezone.now)
    """Last sign of life of that worker, or when the answer was asked for."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["turn", "source"], name="turn_answer_once")]

    def __str__(self) -> str:
        return self.text[:80]
