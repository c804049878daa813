from django.db import models


class Task(models.Model):
    """A prompt and at least two distinct answers, waiting for `overlap` judgments."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="tasks")
    batch = models.ForeignKey("feedback.Batch", on_delete=models.CASCADE, related_name="tasks")
    prompt = models.ForeignKey("feedback.Prompt", on_delete=models.PROTECT, related_name="tasks")
    overlap = models.PositiveSmallIntegerField()
    open_slots = models.IntegerField()
    """Judgments still to be claimed: overlap - live leases - counted judgments."""
    priority = models.SmallIntegerField(default=0)
    repeat_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="repeats")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(open_slots__gte=0), name="task_open_slots_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["batch", "-priority", "id"],
                name="task_open",
                condition=models.Q(open_slots__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"Task {self.pk}"


class TaskItem(models.Model):
    """One answer of a task. Responses with identical text share an item number, so that people see the text once."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="items")
    response = models.ForeignKey("feedback.Response", on_delete=models.PROTECT, related_name="task_items")
    item = models.PositiveSmallIntegerField()
    """Index of the distinct answer, from 0; a judgment's ranks are by this index."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "response"], name="task_item_once")]
        ordering = ["item", "id"]

    def __str__(self) -> str:
        return f"Answer {self.item} of task {self.task_id}"
