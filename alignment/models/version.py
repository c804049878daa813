from django.db import models

from alignment.domain.states import VersionKind


class ModelVersion(models.Model):
    """A model that can be pointed at: its files, their hashes, and what it came from."""

    project = models.ForeignKey(
        "feedback.Project", null=True, blank=True, on_delete=models.PROTECT, related_name="model_versions"
    )
    """Empty for bases, which are the site's."""
    kind = models.CharField(max_length=16, choices=VersionKind.choices)
    name = models.SlugField(max_length=100, unique=True)
    """Also the adapter's name on the policy server."""
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    """What it was trained from: a policy's or reward model's SFT base, an SFT base's pretrained base."""
    run = models.ForeignKey("alignment.Run", null=True, blank=True, on_delete=models.PROTECT, related_name="versions")
    source = models.OneToOneField(
        "feedback.Source", null=True, blank=True, on_delete=models.PROTECT, related_name="model_version"
    )
    """The origin under which feedback keeps this policy's answers."""
    path = models.CharField(max_length=1_000)
    """Folder, relative to the artifacts root, or an absolute path or hub id of a base that was brought along."""
    files = models.JSONField(default=dict)
    """sha256 by file name."""
    metrics = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
