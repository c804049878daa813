"""All that is held about one person, in sections of rows that are read as they are written out."""

from collections.abc import Iterable, Iterator
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db.models import QuerySet

from feedback.models import (
    Announcement,
    ApiToken,
    Assignment,
    Draft,
    Invitation,
    Judgment,
    Membership,
    Report,
    Transition,
    Turn,
    User,
)

CHUNK = 500
"""Rows read at once; a query each, so that no cursor stays open while somebody downloads slowly."""

_ACCOUNT = (
    "username",
    "first_name",
    "last_name",
    "email",
    "kind",
    "language",
    "time_zone",
    "date_joined",
    "last_login",
)
_JUDGMENT = (
    "id", "task_id", "assignment_id", "protocol_id", "ranks", "cannot_judge", "all_bad", "strength", "ratings", "flags",
    "rationale", "edited_answer", "edited_item", "active_s", "counted", "client_key", "supersedes_id", "created_at",
)  # fmt: skip


def personal_data(*, user: User) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    """Yield (section, rows). Secrets are left out: of keys and second factors it says that there are some, and when."""
    yield "account", User.objects.filter(pk=user.pk).values(*_ACCOUNT)
    yield "keys", ApiToken.objects.filter(user=user).values("token_key", "name", "scopes", "created", "last_used_at")
    for section, rows, fields in _sections(user):
        yield section, _read(rows, fields)


def _sections(user: User) -> list[tuple[str, QuerySet[Any], tuple[str, ...]]]:
    own = {"user": user}
    return [
        ("roles", Membership.objects.filter(**own), (
            "project__name", "role", "pseudonym", "is_active", "opted_out_tags", "announcements_seen_at", "created_at",
        )),
        ("email_addresses", EmailAddress.objects.filter(**own), ("email", "verified", "primary")),
        ("second_factors", Authenticator.objects.filter(**own), ("type", "created_at", "last_used_at")),
        ("single_sign_on", SocialAccount.objects.filter(**own), (
            "provider", "uid", "extra_data", "date_joined", "last_login",
        )),
        ("invitations_used", Invitation.objects.filter(used_by=user), ("project__name", "role", "email", "used_at")),
        ("assignments", Assignment.objects.filter(annotator=user), (
            "id", "task_id", "state", "order", "shown_at", "lease_expires_at", "created_at",
        )),
        ("drafts", Draft.objects.filter(assignment__annotator=user), ("assignment_id", "fields", "saved_at")),
        ("judgments", Judgment.objects.filter(annotator=user), _JUDGMENT),
        ("reports", Report.objects.filter(annotator=user), ("task_id", "text", "created_at", "resolved_at")),
        ("conversation_turns", Turn.objects.filter(conversation__annotator=user), (
            "conversation_id", "number", "state", "prompt__messages", "created_at",
        )),
        ("announcements_written", Announcement.objects.filter(created_by=user), (
            "project__name", "text", "created_at", "ends_at",
        )),
        ("deeds", Transition.objects.filter(actor=user), (
            "object_type", "object_id", "from_state", "to_state", "reason", "created_at",
        )),
    ]  # fmt: skip


def _read(rows: QuerySet[Any], fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    position = 0
    while chunk := list(rows.filter(pk__gt=position).order_by("pk").values("pk", *fields)[:CHUNK]):
        position = chunk[-1]["pk"]
        yield from ({field: row[field] for field in fields} for row in chunk)
