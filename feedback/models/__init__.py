from feedback.models.assignment import Assignment
from feedback.models.batch import Batch
from feedback.models.judgment import Judgment
from feedback.models.person import ApiToken, Membership, User
from feedback.models.project import Project, Protocol
from feedback.models.prompt import Prompt
from feedback.models.response import Response, Source
from feedback.models.snapshot import Snapshot
from feedback.models.task import Task, TaskItem
from feedback.models.transition import Transition

__all__ = [
    "ApiToken",
    "Assignment",
    "Batch",
    "Judgment",
    "Membership",
    "Project",
    "Prompt",
    "Protocol",
    "Response",
    "Snapshot",
    "Source",
    "Task",
    "TaskItem",
    "Transition",
    "User",
]
