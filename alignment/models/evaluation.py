from django.db import models


class Evaluation(models.Model):
    """What a round's policy was compared with, by which judge, and how it came out."""

    round = models.OneToOneField("alignment.Round", on_delete=models.CASCADE, related_name="evaluation")
    run = models.ForeignKey("alignment.Run", on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey("alignment.ModelVersion", on_delete=models.PROTECT, related_name="evaluations")
    previous = models.ForeignKey(
        "alignment.ModelVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    judge = models.CharField(max_length=200)
    """The gold function's name, or the judge's model version."""
    metrics = models.JSONField()
    passed = models.BooleanField()
    reasons = models.JSONField(default=list)
    """Why the gate did not pass, one sentence each."""
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"Evaluation of {self.policy}"
