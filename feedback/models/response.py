from django.db import models

from feedback.domain.states import FinishReason


class Source(models.Model):
    """Where answers come from, opaque to this app: alignment knows which model version a source is."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="sources")
    key = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="source_key_once")]

    def __str__(self) -> str:
        return self.name


class Response(models.Model):
    """One sampled (or imported) answer to a prompt."""

    prompt = models.ForeignKey("feedback.Prompt", on_delete=models.CASCADE, related_name="responses")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="responses")
    batch = models.ForeignKey(
        "feedback.Batch", null=True, blank=True, on_delete=models.SET_NULL, related_name="responses"
    )
    """The batch it was sampled for."""
    sample = models.PositiveIntegerField(default=0)
    """Which of several samples of the source for this prompt in this batch."""
    text = models.TextField()
    finish_reason = models.CharField(max_length=16, choices=FinishReason.choices, default=FinishReason.STOP)
    decoding = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["batch", "prompt", "source", "sample"], name="response_sample_once"),
        ]

    def __str__(self) -> str:
        return self.text[:80]
