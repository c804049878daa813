from django.db import models
from django.utils.translation import gettext as _

from alignment.domain.states import LEGAL, DeploymentState


class Deployment(models.Model):
    """One turn of a project's pointer to the policy that answers; the rows together are its history."""

    project = models.ForeignKey("feedback.Project", on_delete=models.PROTECT, related_name="deployments")
    version = models.ForeignKey("alignment.ModelVersion", on_delete=models.PROTECT, related_name="deployments")
    previous = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    round = models.ForeignKey(
        "alignment.Round", null=True, blank=True, on_delete=models.PROTECT, related_name="deployments"
    )
    state = models.CharField(max_length=16, choices=DeploymentState.choices, default=DeploymentState.LOADING)
    against_gate = models.BooleanField(default=False)
    reason = models.TextField(blank=True)
    deployed_by = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    live_at = models.DateTimeField(null=True, blank=True)

    legal_transitions = LEGAL

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state=DeploymentState.LIVE), name="deployment_one_live"
            ),
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state=DeploymentState.LOADING), name="deployment_one_loading"
            ),
        ]

    def __str__(self) -> str:
        return _("%(version)s for %(project)s") % {"version": self.version, "project": self.project}
