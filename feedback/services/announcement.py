"""What an admin tells the annotators of a project, until each of them has put it away."""

import datetime as dt

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict
from feedback.domain.messages import check_text
from feedback.models import Announcement, Membership, Project, User
from feedback.services.transition import transition_log

MAX_TEXT_LENGTH = 2_000
"""Read between two tasks. What is longer belongs into the guidelines."""


def announcement_create(*, project: Project, text: str, by: User, ends_at: dt.datetime | None = None) -> Announcement:
    """Tell all annotators of the project something, in markdown. Raises: Invalid."""
    check_text(text, _("The announcement"), max_length=MAX_TEXT_LENGTH)
    with transaction.atomic():
        announcement = Announcement.objects.create(project=project, text=text, created_by=by, ends_at=ends_at)
        transition_log(obj=announcement, from_state="", to_state="shown", actor=by)
    return announcement


def announcement_end(*, announcement: Announcement, by: User) -> None:
    """Show it to nobody from now on. Raises: Conflict when it has ended already."""
    now = timezone.now()
    shown = Announcement.objects.filter(Q(ends_at=None) | Q(ends_at__gt=now), pk=announcement.pk)
    with transaction.atomic():
        if not shown.update(ends_at=now):
            raise Conflict(_("This announcement has ended already."))
        transition_log(obj=announcement, from_state="shown", to_state="ended", actor=by)


def announcements_dismiss(*, project: Project, user: User, last_id: int) -> None:
    """Put away the announcements up to the last one that the person saw; one that came meanwhile stays unseen."""
    last = Announcement.objects.filter(project=project, pk=last_id).first()
    if last is None:
        return
    older = Q(announcements_seen_at=None) | Q(announcements_seen_at__lt=last.created_at)
    Membership.objects.filter(older, project=project, user=user).update(announcements_seen_at=last.created_at)
