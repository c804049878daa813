"""What an admin told the annotators of a project and this person has not put away yet."""

from django import template

from feedback.models import Announcement, Project, User
from feedback.selectors.person import announcements_unseen as unseen

register = template.Library()


@register.simple_tag
def announcements_unseen(project: Project, user: User) -> list[Announcement]:
    """Return them, the oldest first."""
    return unseen(project=project, user=user)
