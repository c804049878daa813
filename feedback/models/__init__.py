from feedback.models.assignment import Assignment, Draft, Report
from feedback.models.batch import Batch
from feedback.models.conversation import Conversation, Turn, TurnAnswer
from feedback.models.judgment import Judgment
from feedback.models.person import Announcement, ApiToken, Hold, Invitation, Membership, User
from feedback.models.project import Project, Protocol
from feedback.models.prompt import Prompt
from feedback.models.quality import Consensus, QualityReport
from feedback.models.response import Response, Source
from feedback.models.snapshot import Snapshot
from feedback.models.task import Adjudication, Gold, Task, TaskItem
from feedback.models.task_action import TaskAction
from feedback.models.transition import Transition

__all__ = [
    "Adjudication",
    "Announcement",
    "ApiToken",
    "Assignment",
    "Batch",
    "Consensus",
    "Conversation",
    "Draft",
    "Gold",
    "Hold",
    "Invitation",
    "Judgment",
    "Membership",
    "Project",
    "Prompt",
    "Protocol",
    "QualityReport",
    "Report",
    "Response",
    "Snapshot",
    "Source",
    "Task",
    "TaskAction",
    "TaskItem",
    "Transition",
    "Turn",
    "TurnAnswer",
    "User",
]
