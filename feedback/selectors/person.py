"""People, their roles, their keys, and what they are told."""

import dataclasses
import hashlib

from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from feedback.domain.states import Role
from feedback.models import Announcement, ApiToken, Invitation, Membership, Project, Protocol, User


@dataclasses.dataclass(frozen=True)
class Member:
    user: User
    pseudonym: str
    roles: frozenset[Role]


def member_list(*, project: Project) -> list[Member]:
    """Return the active members with all their roles, by name."""
    members: dict[int, Member] = {}
    memberships = Membership.objects.filter(project=project, is_active=True).select_related("user")
    for membership in memberships.order_by("user__username", "pk"):
        known = members.get(membership.user_id)
        roles = (known.roles if known else frozenset()) | {Role(membership.role)}
        members[membership.user_id] = Member(membership.user, membership.pseudonym, roles)
    return list(members.values())


def pseudonyms(*, project: Project) -> dict[int, str]:
    """Return the pseudonym of each user id that was ever a member."""
    return dict(Membership.objects.filter(project=project).order_by("pk").values_list("user_id", "pseudonym"))


def user_by_name(*, username: str) -> User | None:
    """Return an active user, for adding as a member."""
    return User.objects.filter(username=username, is_active=True).first()


def token_list(*, user: User) -> QuerySet[ApiToken]:
    """Return the user's keys, newest first."""
    tokens: QuerySet[ApiToken] = ApiToken.objects.filter(user=user).order_by("-created")
    return tokens


def demo_exists() -> bool:
    """Return whether the demo's people are here."""
    return User.objects.filter(is_demo=True, is_active=True).exists()


def token_digest(token: str) -> str:
    """Return what is stored of an invitation's token: 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def invitation_by_token(*, token: str) -> Invitation | None:
    """Return the invitation behind a link, whatever became of it."""
    return Invitation.objects.select_related("project").filter(token_sha256=token_digest(token)).first()


def invitation_usable(*, token: str) -> Invitation | None:
    """Return the invitation behind a link while it can be used."""
    rows = Invitation.objects.select_related("project", "created_by").filter(used_at=None, revoked_at=None)
    return rows.filter(token_sha256=token_digest(token), expires_at__gt=timezone.now()).first()


def invitations_open(*, project: Project) -> QuerySet[Invitation]:
    """Return the project's invitations that can still be used, the newest first."""
    rows = Invitation.objects.filter(project=project, used_at=None, revoked_at=None, expires_at__gt=timezone.now())
    return rows.select_related("created_by").order_by("-pk")


def announcement_list(*, project: Project) -> QuerySet[Announcement]:
    """Return all announcements of a project, the newest first."""
    return Announcement.objects.filter(project=project).select_related("created_by").order_by("-created_at")


def announcements_unseen(*, project: Project, user: User) -> list[Announcement]:
    """Return what this person has not put away yet, the oldest first; nothing to somebody who is no member."""
    own = Membership.objects.filter(project=project, user=user, is_active=True)
    if not own.exists():
        return []
    rows = Announcement.objects.filter(Q(ends_at=None) | Q(ends_at__gt=timezone.now()), project=project)
    seen_at = own.aggregate(seen=Max("announcements_seen_at"))["seen"]
    return list((rows.filter(created_at__gt=seen_at) if seen_at else rows).order_by("created_at", "pk"))


def content_warnings(*, project: Project) -> dict[str, str]:
    """Return the sentence for each tag that the project's newest protocol warns of."""
    options = Protocol.objects.filter(project=project).order_by("-number").values_list("options", flat=True).first()
    warnings: dict[str, str] = (options or {}).get("warnings", {})
    return warnings


def opted_out_tags(*, project: Project, user: User) -> list[str]:
    """Return the tags of prompts that this person does not want to see in the project."""
    own = Membership.objects.filter(project=project, user=user).order_by("pk").values_list("opted_out_tags", flat=True)
    return sorted({tag for tags in own for tag in tags})
