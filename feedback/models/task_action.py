from django.db import models
from django.utils.translation import gettext as _

from feedback.domain.task_filter import TaskActionKind


class TaskAction(models.Model):
    """One change to all tasks that a search finds, done by a worker in chunks from the newest task down."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="task_actions")
    kind = models.CharField(max_length=16, choices=TaskActionKind.choices)
    filter = models.JSONField()
    """`feedback.domain.task_filter.TaskFilter` as JSON."""
    priority = models.SmallIntegerField(null=True, blank=True)
    """The new one, of a change of priority."""
    reason = models.TextField(max_length=500)
    asked_by = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="+")
    below = models.BigIntegerField()
    """All tasks from this id up are done; tasks that were made after it was asked for are none of it."""
    n_found = models.PositiveIntegerField(default=0)
    """Tasks that it has come to so far."""
    n_changed = models.PositiveIntegerField(default=0)
    """Those of them that were changed."""
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return _("%(kind)s in %(project)s") % {"kind": self.get_kind_display(), "project": self.project}
