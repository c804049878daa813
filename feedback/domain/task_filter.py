"""What an admin searches tasks by, and what can be done to all that are found."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from feedback.domain.states import TaskPurpose


class TaskState(TextChoices):
    """How far people are with a task; it follows from slots, leases and adjudications."""

    OPEN = "open", _("Open")
    """A slot is free; tasks with a known answer, which are never used up, are left out."""
    HELD = "held", _("In somebody's hands")
    """A lease runs."""
    FINISHED = "finished", _("Finished")
    """No slot is free and no lease runs."""
    DISAGREEING = "disagreeing", _("More judgments asked for")
    """More than its batch began with, because people disagreed or an admin asked."""
    ADJUDICATION = "adjudication", _("With the adjudicators")
    """Waits for an adjudicator's decision."""


class TaskActionKind(TextChoices):
    """What an admin does to tasks."""

    REQUEUE = "requeue", _("Take it back")
    """Whoever holds it: leases end now and their slots are free again."""
    PRIORITISE = "prioritise", _("Change the priority")
    RAISE = "raise", _("Ask for one more judgment")


@dataclasses.dataclass(frozen=True)
class TaskFilter:
    """What is empty excludes nothing."""

    number: int | None = None
    """Task id."""
    prompt: int | None = None
    """Prompt id."""
    words: str = ""
    """All of them stand in the prompt."""
    tag: str = ""
    """One of the prompt's tags."""
    state: TaskState | None = None
    batch: int | None = None
    """The batch's number in its project."""
    purpose: TaskPurpose | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is not empty."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value not in {None, ""}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TaskFilter":
        """Read what `to_json` wrote, or a form's cleaned fields."""
        known: dict[str, Any] = {name: value for name, value in values.items() if value not in {None, ""}}
        if "state" in known:
            known["state"] = TaskState(known["state"])
        if "purpose" in known:
            known["purpose"] = TaskPurpose(known["purpose"])
        return cls(**known)
