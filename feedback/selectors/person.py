"""People, their roles and their keys."""

import dataclasses

from django.db.models import QuerySet

from feedback.domain.states import Role
from feedback.models import ApiToken, Membership, Project, User


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
