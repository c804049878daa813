from django.db import models
from django.utils.translation import gettext as _

from alignment.domain.states import FINAL_ROUND_STATES, LEGAL, RoundState


class Round(models.Model):
    """One turn of the loop.

    Round 0 builds the base; every later one goes from rankings to a deployed or rejected policy.
    """

    project = models.ForeignKey("feedback.Project", on_delete=models.PROTECT, related_name="rounds")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=RoundState.choices)
    is_build = models.BooleanField(default=False)
    """It builds or imports a base (number 0, or a later number after a failed build)."""
    recipe = models.JSONField(default=dict)
    """Frozen at launch; `alignment.domain.recipe`."""
    seed = models.BigIntegerField(default=0)
    previous = models.ForeignKey(
        "alignment.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    """The version that was live at the launch, whatever is deployed since: the policy may go on from it, sits on its
    base, and is compared with it."""
    batch = models.ForeignKey("feedback.Batch", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds")
    snapshot = models.ForeignKey(
        "feedback.Snapshot", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds"
    )
    last_judgment_id = models.BigIntegerField(default=0)
    """The newest ranking at the launch: what was ranked after it belongs to the next round."""
    n_heldout_left_out = models.PositiveIntegerField(default=0)
    """Held-out prompts that the evaluation leaves out, for the base was tuned on them."""
    policy = models.ForeignKey(
        "alignment.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="rounds"
    )
    """What the round made: the SFT policy in round 0, else the trained policy."""
    error = models.TextField(blank=True)
    """Why it failed or was cancelled."""
    waiting_for = models.TextField(blank=True)
    """What keeps a live round where it is, in one sentence, when it is not work or people."""
    sampling_lease = models.UUIDField(null=True, blank=True)
    """Of the worker that samples the batch now."""
    sampling_beat_at = models.DateTimeField(null=True, blank=True)
    """When that worker last stored answers; a second worker leaves the batch alone while this is fresh."""
    launched_by = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    launched_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    legal_transitions = LEGAL

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="round_number_once"),
            models.UniqueConstraint(
                fields=["project"],
                condition=~models.Q(state__in=sorted(FINAL_ROUND_STATES)),
                name="round_one_live_per_project",
            ),
        ]

    def __str__(self) -> str:
        return _("%(project)s, round %(number)s") % {"project": self.project, "number": self.number}
