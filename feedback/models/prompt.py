from django.db import models

from feedback.domain.states import Split


class Prompt(models.Model):
    """A conversation that ends with the user's turn."""

    # The indexes below begin with project.
    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="prompts", db_index=False)
    external_id = models.CharField(max_length=200, blank=True)
    messages = models.JSONField()
    """A list of {"role": "system" | "user" | "assistant", "content": text}."""
    content_sha256 = models.CharField(max_length=64)
    group = models.CharField(max_length=200)
    """Prompts of one group share a split; the content's hash where nothing was given."""
    split = models.CharField(max_length=16, choices=Split.choices)
    tags = models.JSONField(default=list)
    parent_response = models.ForeignKey(
        "feedback.Response", null=True, blank=True, on_delete=models.PROTECT, related_name="follow_ups"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "content_sha256"], name="prompt_once")]
        # PostgreSQL has two more, over words and tags: the migration that makes them says how.
        indexes = [
            models.Index(fields=["project", "split"]),
            models.Index(fields=["project", "id"], name="prompt_by_project"),
        ]

    def __str__(self) -> str:
        return str(self.messages[-1]["content"])[:80]
