"""Links that make whoever opens them a member: made by an admin, shown once, used once."""

import datetime as dt
import secrets

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.messages import check_text
from feedback.domain.states import Role
from feedback.models import Invitation, Membership, Project, User
from feedback.selectors.person import invitation_by_token, token_digest
from feedback.services.person import member_add, user_create
from feedback.services.transition import transition_log

DAYS = 7
MAX_DAYS = 30
"""A link lies in mailboxes; one that works for longer is forgotten there."""
MAX_EMAIL_LENGTH = 254


def invitation_create(
    *, project: Project, role: Role, by: User, days: int = DAYS, email: str = ""
) -> tuple[Invitation, str]:
    """Make an invitation and return it with its token, which is stored as a hash only. Raises: Invalid."""
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(_("An invitation works for 1 to %(max)d days.") % {"max": MAX_DAYS})
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        invitation = Invitation.objects.create(
            project=project,
            role=role,
            email=check_text(email, _("The e-mail address"), max_length=MAX_EMAIL_LENGTH, empty=True),
            token_sha256=token_digest(token),
            expires_at=timezone.now() + dt.timedelta(days=days),
            created_by=by,
        )
        transition_log(obj=invitation, from_state="", to_state="open", actor=by)
    return invitation, token


def invitation_revoke(*, invitation: Invitation, by: User) -> None:
    """Make the link useless from now on. Raises: Conflict when it was used or revoked already."""
    open_ones = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None)
    with transaction.atomic():
        if not open_ones.update(revoked_at=timezone.now()):
            raise Conflict(_("This invitation was used or revoked meanwhile."))
        transition_log(obj=invitation, from_state="open", to_state="revoked", actor=by)


def invitation_accept(*, token: str, user: User) -> Membership:
    """Use the link up and give the person its role. Raises: Conflict when it can no longer be used."""
    now = timezone.now()
    usable = Invitation.objects.filter(
        token_sha256=token_digest(token), used_at=None, revoked_at=None, expires_at__gt=now
    )
    with transaction.atomic():
        if not usable.update(used_at=now, used_by=user):
            raise Conflict(_("This invitation was used, revoked, or is too old; ask for a new one."))
        invitation = invitation_by_token(token=token)
        assert invitation is not None, "it was updated just now"
        transition_log(obj=invitation, from_state="open", to_state="used", actor=user)
        return member_add(project=invitation.project, user=user, role=Role(invitation.role), by=user)


def invitation_sign_up(*, token: str, username: str, password: str, name: str = "", email: str = "") -> User:
    """Make an account and a member of it, both or none. Raises: Invalid, Conflict."""
    with transaction.atomic():
        user = user_create(username=username, password=password, name=name, email=email)
        invitation_accept(token=token, user=user)
    return user
