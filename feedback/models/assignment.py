from django.db import models
from django.utils.translation import gettext as _

from feedback.domain.states import LEGAL, AssignmentState


class Assignment(models.Model):
    """One task in one annotator's hands, under a lease."""

    # Neither has an index of its own: those below begin with them, and every claim and submit writes each index.
    task = models.ForeignKey("feedback.Task", on_delete=models.CASCADE, related_name="assignments", db_index=False)
    annotator = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="assignments", db_index=False)
    state = models.CharField(max_length=16, choices=AssignmentState.choices, default=AssignmentState.HELD)
    order = models.JSONField()
    """The shuffled item numbers as shown: `order[0]` is the answer under letter A."""
    protocol = models.ForeignKey("feedback.Protocol", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    """The guidelines that were shown with it; a judgment is recorded under these, also when they change meanwhile."""
    lease_expires_at = models.DateTimeField()
    shown_at = models.DateTimeField(null=True, blank=True)
    """Empty while prefetched; a prefetched task has a lease of two minutes."""
    created_at = models.DateTimeField(auto_now_add=True)
    released_at = models.DateTimeField(null=True, blank=True)
    active_s = models.FloatField(null=True, blank=True)
    """Seconds that went into a task that was then skipped; otherwise its judgments have them."""

    legal_transitions = LEGAL

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "annotator"], name="assignment_once")]
        indexes = [
            models.Index(
                fields=["lease_expires_at"], name="assignment_leases", condition=models.Q(state=AssignmentState.HELD)
            ),
            models.Index(fields=["annotator", "state"]),
        ]

    def __str__(self) -> str:
        return _("Task %(task)s with %(annotator)s") % {"task": self.task_id, "annotator": self.annotator}


class Draft(models.Model):
    """What a person has typed into a task that is not submitted, as the form's fields, by shown letter."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="draft")
    fields = models.JSONField()
    """{"rank_A": ["1"], "rationale": ["..."]}, exactly as the form would send it."""
    version = models.PositiveIntegerField(default=1)
    """Raised by every save: a tab that knows an older one is told, and never overwrites a newer draft."""
    saved_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Draft of {self.assignment}"


class Report(models.Model):
    """A problem with a task that its annotator wants somebody to look at."""

    task = models.ForeignKey("feedback.Task", on_delete=models.CASCADE, related_name="reports")
    annotator = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=2_000)
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"Report on task {self.task_id}"
