from django.db import models

from feedback.domain.protocol import Strength


class Judgment(models.Model):
    """What one person said about one task. Append-only: a correction is a new judgment that supersedes."""

    assignment = models.ForeignKey("feedback.Assignment", on_delete=models.PROTECT, related_name="judgments")
    # Neither has an index of its own: those below begin with them.
    task = models.ForeignKey("feedback.Task", on_delete=models.PROTECT, related_name="judgments", db_index=False)
    annotator = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="judgments", db_index=False)
    protocol = models.ForeignKey("feedback.Protocol", on_delete=models.PROTECT, related_name="judgments")
    """The guidelines and rules it was made under."""
    ranks = models.JSONField()
    """Rank of each item by item number: 1 + the number of better answers, so equal numbers are ties: [3, 1, 1, 4].

    Null where an answer got no rank: worse than all ranked ones, unless it is in `cannot_judge`. All are null where no
    order was asked for.
    """
    cannot_judge = models.JSONField(default=list)
    """Item numbers of answers about which the person could say nothing."""
    all_bad = models.BooleanField(default=False)
    """None of the answers is acceptable, whatever their order."""
    n_pairs = models.PositiveSmallIntegerField()
    """Pairs with a winner in `ranks`; kept, so that counting never reads JSON."""
    n_ties = models.PositiveSmallIntegerField()
    strength = models.SmallIntegerField(null=True, blank=True, choices=Strength.choices)
    """Of the better of two answers."""
    ratings = models.JSONField(default=dict)
    """{dimension: [a score or null for each item]}."""
    flags = models.JSONField(default=list)
    """[{"item": number, "flag": name}] in the order of items, then of names."""
    rationale = models.TextField(blank=True)
    edited_answer = models.TextField(blank=True)
    """An improved answer, or one that was written from nothing."""
    edited_item = models.PositiveSmallIntegerField(null=True, blank=True)
    """Which item `edited_answer` improves; empty when it was written from nothing."""
    active_s = models.FloatField(null=True, blank=True)
    counted = models.BooleanField(default=True)
    """False when it came late, or its slot was taken back: kept, outside consensus and default exports."""
    hold = models.ForeignKey("feedback.Hold", null=True, blank=True, on_delete=models.PROTECT, related_name="judgments")
    """The burst of impossible speed that it was part of; not counted unless that was cleared."""
    is_excluded = models.BooleanField(default=False, db_default=False)
    """It counted until its author was excluded, and may count again."""
    client_key = models.CharField(max_length=64)
    """Chosen by the client: the same key again returns this judgment instead of a second one."""
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotator", "client_key"], name="judgment_client_key_once"),
        ]
        indexes = [
            models.Index(fields=["task", "counted"]),
            models.Index(fields=["annotator", "created_at"], name="judgment_days"),
            models.Index(fields=["annotator"], name="judgment_excluded", condition=models.Q(is_excluded=True)),
        ]

    def __str__(self) -> str:
        return f"{self.ranks} by {self.annotator} on task {self.task_id}"
