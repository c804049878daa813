"""What was computed about a project's judgments, by workers and never in a request."""

from django.db import models
from django.utils.translation import gettext as _

from feedback.domain.states import LEGAL, QualityState


class QualityReport(models.Model):
    """The figures of one moment, with what they rest on."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="quality_reports")
    state = models.CharField(max_length=16, choices=QualityState.choices, default=QualityState.QUEUED)
    error = models.TextField(blank=True)
    last_judgment_id = models.BigIntegerField(default=0)
    """The newest judgment that is in it."""
    figures = models.JSONField(default=dict)
    """`feedback.domain.quality.QualityFigures` as JSON; empty until computed."""
    asked_by = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    """Empty when the periodic job asked."""
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    computed_at = models.DateTimeField(null=True, blank=True)

    legal_transitions = LEGAL

    class Meta:
        indexes = [models.Index(fields=["project", "-id"])]

    def __str__(self) -> str:
        return _("Quality of %(project)s, report %(number)s") % {"project": self.project, "number": self.pk}


class Consensus(models.Model):
    """What a task's judgments say together, each weighted by how reliable its author is."""

    task = models.OneToOneField("feedback.Task", on_delete=models.CASCADE, related_name="consensus")
    report = models.ForeignKey(QualityReport, on_delete=models.CASCADE, related_name="consensuses")
    ranks = models.JSONField()
    """Rank of each item by item number, equal numbers are ties."""
    confidence = models.FloatField()
    """Mean posterior probability, over the pairs of items, that the consensus order is the right one; from 0.5 to 1."""
    n_judgments = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return f"{self.ranks} for {self.task}"
