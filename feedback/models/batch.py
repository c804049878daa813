from django.db import models
from django.utils.translation import gettext as _

from feedback.domain.states import LEGAL, BatchState


class Batch(models.Model):
    """A wave of tasks: prompts, and how many answers of which source each gets."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=BatchState.choices, default=BatchState.SAMPLING)
    overlap = models.PositiveSmallIntegerField()
    plan = models.JSONField(default=list)
    """[{"source": id, "n": answers per prompt}]; empty for imported batches."""
    n_tasks = models.PositiveIntegerField(default=0)
    """Ordinary tasks in it; kept, because counting a million takes too long for a page."""
    n_wanted = models.PositiveIntegerField(default=0)
    """Sum of their overlaps; what is still open says how many judgments there are."""
    prompts = models.ManyToManyField("feedback.Prompt", related_name="batches")
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    legal_transitions = LEGAL

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="batch_number_once")]

    def __str__(self) -> str:
        return _("%(project)s, batch %(number)s") % {"project": self.project, "number": self.number}
