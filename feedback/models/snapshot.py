from django.db import models


class Snapshot(models.Model):
    """An immutable export: exactly which judgments went into a dataset, and the files that hold it."""

    project = models.ForeignKey("feedback.Project", on_delete=models.PROTECT, related_name="snapshots")
    judgment_ids = models.JSONField()
    """Sorted ids of the pinned judgments."""
    filter = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    files = models.JSONField(default=dict)
    """{name: {"path", "sha256", "rows"}}."""
    sha256 = models.CharField(max_length=64)
    """Over the pinned judgments' ids and contents."""
    erasures = models.JSONField(default=list)
    """[{"at", "what"}]: texts in its files that were erased since, at the wish of the person who wrote them."""
    created_by = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Snapshot {self.pk} of {self.project}"
