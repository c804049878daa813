"""People, what they may do in a project, and the keys of the programs that act for them."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext as _
from knox.models import AbstractAuthToken

from feedback.domain.states import LEGAL, HoldState, Role, Standing, UserKind


class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox, whose manager it is, has no types
    """A person or a program that annotates through the API."""

    kind = models.CharField(max_length=16, choices=UserKind.choices, default=UserKind.HUMAN)
    is_demo = models.BooleanField(default=False)
    """Made by the demo; production refuses to start while one is active."""
    language = models.CharField(max_length=10, blank=True)
    """Of the interface; empty follows the browser."""
    time_zone = models.CharField(max_length=64, default="UTC")
    """In which this person's days begin, for hours and pay."""
    erased_at = models.DateTimeField(null=True, blank=True)
    """When the person asked to be forgotten; what is left is a tombstone that their judgments hang on."""


class ApiToken(AbstractAuthToken):
    """A hashed key for the API; the clear text is shown once."""

    name = models.CharField(max_length=100, blank=True)
    scopes = models.JSONField(default=list)
    """Names from `feedback.domain.scopes`; empty means all that the user may do."""
    last_used_at = models.DateTimeField(null=True, blank=True)


class Membership(models.Model):
    """One role of one person in one project."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey("feedback.User", on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    pseudonym = models.CharField(max_length=32)
    """Random, stands for the person in this project's exports, the same for all roles of the person in the project."""
    is_active = models.BooleanField(default=True)
    standing = models.CharField(max_length=16, choices=Standing.choices, default=Standing.WORKING)
    """Of an annotator; other roles have no other one."""
    standing_reason = models.TextField(blank=True, max_length=500)
    """Shown to the person."""
    daily_cap = models.PositiveIntegerField(null=True, blank=True)
    """Judgments a day in this person's time zone, instead of the project's cap."""
    n_claims = models.PositiveIntegerField(default=0)
    """Tasks ever handed out to this person: the place in the drawn sequence of hidden gold tasks and repeats."""
    queue_position = models.JSONField(null=True, blank=True)
    """Where in the queue this person's next look begins, so that no claim passes over everything they did before."""
    opted_out_tags = models.JSONField(default=list)
    """Tags of prompts that this person does not want to see."""
    announcements_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    legal_transitions = LEGAL

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user", "role"], name="membership_once"),
        ]
        indexes = [models.Index(fields=["user", "is_active"])]

    def __str__(self) -> str:
        return _("%(user)s as %(role)s in %(project)s") % {
            "user": self.user,
            "role": self.role,
            "project": self.project,
        }


class Hold(models.Model):
    """A burst of judgments that came faster than anybody reads, until an admin has looked at it."""

    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="holds")
    state = models.CharField(max_length=16, choices=HoldState.choices, default=HoldState.REVIEWING)
    reason = models.TextField(max_length=500)
    """In a sentence, with the figures."""
    created_at = models.DateTimeField(auto_now_add=True)
    decided_by = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)

    legal_transitions = LEGAL

    def __str__(self) -> str:
        return _("Hold %(number)s of %(membership)s") % {"number": self.pk, "membership": self.membership}


class Invitation(models.Model):
    """A link that makes whoever opens it a member, once."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=16, choices=Role.choices)
    email = models.EmailField(blank=True)
    """For whom it was made; only a reminder for the admin."""
    token_sha256 = models.CharField(max_length=64, unique=True)
    """The link itself is shown once."""
    expires_at = models.DateTimeField()
    created_by = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    used_by = models.ForeignKey("feedback.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Invitation {self.pk} to {self.project}"


class Announcement(models.Model):
    """What an admin tells all annotators of a project."""

    project = models.ForeignKey("feedback.Project", on_delete=models.CASCADE, related_name="announcements")
    text = models.TextField(max_length=2_000)
    """Markdown."""
    created_by = models.ForeignKey("feedback.User", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.text[:80]
