from django.db import models


class Transition(models.Model):
    """Append-only audit: one state change, written in the same transaction as the change itself."""

    object_type = models.CharField(max_length=50)
    """Model label, for example `feedback.batch`."""
    object_id = models.BigIntegerField()
    from_state = models.CharField(max_length=32, blank=True)
    to_state = models.CharField(max_length=32)
    actor = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    """Empty when the system did it."""
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["object_type", "object_id"])]

    def __str__(self) -> str:
        return f"{self.object_type} {self.object_id}: {self.from_state} > {self.to_state}"
