from django.db import models
from django.utils.translation import gettext as _

from feedback.domain.states import KNOWN, LEGAL, AdjudicationState, TaskPurpose


class Task(models.Model):
    """A prompt and at least two distinct answers, waiting for `overlap` judgments."""

    # The indexes below begin with project and with batch.
    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="tasks", db_index=False)
    batch = models.ForeignKey(
        "feedback.Batch", null=True, blank=True, on_delete=models.CASCADE, related_name="tasks", db_index=False
    )
    """Empty for tasks with a known answer, which outlive batches."""
    purpose = models.CharField(max_length=16, choices=TaskPurpose.choices, default=TaskPurpose.LABEL)
    prompt = models.ForeignKey("feedback.Prompt", on_delete=models.PROTECT, related_name="tasks")
    overlap = models.PositiveSmallIntegerField()
    open_slots = models.IntegerField()
    """Judgments still to be claimed: overlap - live leases - counted judgments."""
    priority = models.SmallIntegerField(default=0)
    """Higher ones are handed out first within a batch."""
    reserved_for = models.ForeignKey(
        "feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="reserved_tasks"
    )
    """Waits for this person first: a repeat, or a task of their block, which goes to all others once they are done."""
    repeat_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="repeats")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(open_slots__gte=0), name="task_open_slots_not_negative"),
            models.UniqueConstraint(
                fields=["repeat_of", "reserved_for"],
                name="task_repeat_once",
                condition=models.Q(repeat_of__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["batch", "-priority", "id"],
                name="task_open",
                condition=models.Q(open_slots__gt=0),
                include=["open_slots", "purpose", "reserved_for"],
            ),
            models.Index(
                fields=["reserved_for", "batch", "-priority", "id"],
                name="task_reserved",
                condition=models.Q(open_slots__gt=0, reserved_for__isnull=False),
            ),
            models.Index(
                fields=["project", "purpose"],
                name="task_known",
                condition=models.Q(purpose__in=KNOWN),
            ),
            models.Index(fields=["project", "id"], name="task_by_project"),
            models.Index(fields=["project", "id"], name="task_full", condition=models.Q(open_slots=0)),
            models.Index(fields=["batch", "overlap"], name="task_by_overlap"),
        ]

    def __str__(self) -> str:
        return _("Task %(number)s") % {"number": self.pk}


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


class Gold(models.Model):
    """The known answer of a task."""

    task = models.OneToOneField(Task, on_delete=models.CASCADE, related_name="gold")
    ranks = models.JSONField()
    """Rank of each item by item number, as in a judgment; equal numbers are ties that may be judged either way."""
    tolerance = models.FloatField(default=0.0)
    """Share of the pairs with a known winner that a person may get wrong and still be right."""
    explanation = models.TextField(blank=True, max_length=10_000)
    """Markdown."""
    created_by = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    """Shown to nobody any more; what was judged stays."""

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(tolerance__gte=0) & models.Q(tolerance__lte=1), name="gold_tolerance_is_a_share"
            )
        ]

    def __str__(self) -> str:
        return f"Known answer of {self.task}"


class Adjudication(models.Model):
    """A task on which people disagree at the highest overlap, until an adjudicator has decided."""

    task = models.OneToOneField(Task, on_delete=models.CASCADE, related_name="adjudication")
    state = models.CharField(max_length=16, choices=AdjudicationState.choices, default=AdjudicationState.WAITING)
    agreement = models.FloatField()
    """Share of pairs judged alike when it was asked for, from 0 to 1."""
    judgment = models.OneToOneField(
        "feedback.Judgment", null=True, blank=True, on_delete=models.PROTECT, related_name="adjudication"
    )
    """What was decided: it counts, and stands for the consensus."""
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    legal_transitions = LEGAL

    class Meta:
        indexes = [
            models.Index(
                fields=["id"], name="adjudication_waiting", condition=models.Q(state=AdjudicationState.WAITING)
            )
        ]

    def __str__(self) -> str:
        return _("Adjudication of %(task)s") % {"task": self.task}
