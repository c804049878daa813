from django.db import models
from django.utils.translation import gettext as _

from alignment.domain.states import LEGAL, RunState


class Run(models.Model):
    """One modeling stage: its specification, who runs it now, and how it went.

    The database holds the truth; messages only hurry it.
    """

    round = models.ForeignKey("alignment.Round", on_delete=models.CASCADE, related_name="runs")
    stage = models.CharField(max_length=32)
    """A name from `modeling.spec.STAGES`."""
    purpose = models.CharField(max_length=32)
    """What the round uses it for; equals the stage except where a stage serves twice (`reward`, `judge`)."""
    spec = models.JSONField()
    state = models.CharField(max_length=16, choices=RunState.choices, default=RunState.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    crashes = models.PositiveIntegerField(default=0)
    """Attempts that ended by a crash; a worker's orderly shutdown is none."""
    lease_id = models.UUIDField(null=True, blank=True)
    """Of the worker that runs it now; a result with another lease does not count."""
    heartbeat = models.PositiveBigIntegerField(default=0)
    """A counter that the worker raises; the reaper looks whether it moves, so that no clocks are compared."""
    reaper_seen_heartbeat = models.PositiveBigIntegerField(default=0)
    reaper_still_looks = models.PositiveSmallIntegerField(default=0)
    stop_requested = models.BooleanField(default=False)
    progress_done = models.PositiveBigIntegerField(default=0)
    progress_total = models.PositiveBigIntegerField(default=0)
    progress_unit = models.CharField(max_length=32, blank=True)
    metrics = models.JSONField(default=dict)
    """The final metrics of `result.json`."""
    result = models.JSONField(default=dict)
    """The whole `result.json`; artifact paths are relative to `run_dir`."""
    run_dir = models.CharField(max_length=1_000, blank=True)
    """Folder of the newest attempt, relative to the runs root."""
    error = models.TextField(blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    legal_transitions = LEGAL

    class Meta:
        constraints = [models.UniqueConstraint(fields=["round", "purpose"], name="run_purpose_once")]
        indexes = [models.Index(fields=["state"])]
        ordering = ["id"]

    def __str__(self) -> str:
        return _("%(purpose)s of %(round)s") % {"purpose": self.purpose, "round": self.round}
