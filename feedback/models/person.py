"""People, what they may do in a project, and the keys of the programs that act for them."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from knox.models import AbstractAuthToken

from feedback.domain.states import Role, UserKind


class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox, whose manager it is, has no types
    """A person or a program that annotates through the API."""

    kind = models.CharField(max_length=16, choices=UserKind.choices, default=UserKind.HUMAN)
    is_demo = models.BooleanField(default=False)
    """Made by the demo; production refuses to start while one is active."""


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
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user", "role"], name="membership_once"),
        ]
        indexes = [models.Index(fields=["user", "is_active"])]

    def __str__(self) -> str:
        return f"{self.user} as {self.role} in {self.project}"
