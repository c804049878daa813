"""People and programs: accounts, API keys, and their roles in projects."""

import secrets
from collections.abc import Sequence

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.messages import check_text
from feedback.domain.scopes import Scope
from feedback.domain.states import Role, UserKind
from feedback.models import ApiToken, Membership, Project, User
from feedback.services.assignment import assignments_take_back
from feedback.services.hold import project_hold
from feedback.services.transition import transition_log


def user_create(
    *,
    username: str,
    password: str | None = None,
    kind: UserKind = UserKind.HUMAN,
    email: str = "",
    is_staff: bool = False,
    is_superuser: bool = False,
    is_demo: bool = False,
) -> User:
    """Make an account; without a password nobody can sign in with it. Raises: Invalid, Conflict."""
    user = User(
        username=username, kind=kind, email=email, is_staff=is_staff, is_superuser=is_superuser, is_demo=is_demo
    )
    try:
        if password is not None:
            validate_password(password, user)
        user.set_password(password)
        user.full_clean(validate_unique=False)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages)) from error
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(f"There is a user {username} already; choose another name.") from error
    return user


def token_create(*, user: User, name: str, scopes: Sequence[str] = ()) -> tuple[ApiToken, str]:
    """Make a key for the API and return it with its clear text, which is not stored and cannot be shown again."""
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown:
        raise Invalid(f"There is no scope {', '.join(unknown)}; choose from {', '.join(Scope.values)}.")
    check_text(name, "The key's name", max_length=100)
    token, clear_text = ApiToken.objects.create(user, name=name, scopes=sorted(set(scopes)))
    return token, clear_text


def token_revoke(*, user: User, digest: str) -> None:
    """Delete a key of the user; programs that use it are refused from now on."""
    ApiToken.objects.filter(user=user, digest=digest).delete()


def member_add(*, project: Project, user: User, role: Role, by: User | None) -> Membership:
    """Give a person a role, or give it back. A person keeps one pseudonym for all roles in a project."""
    with transaction.atomic():
        project_hold(project=project)  # two roles given at the same moment get the same pseudonym
        pseudonym = (
            Membership.objects.filter(project=project, user=user).values_list("pseudonym", flat=True).first()
        ) or f"p-{secrets.token_hex(5)}"
        membership, created = Membership.objects.get_or_create(
            project=project, user=user, role=role, defaults={"pseudonym": pseudonym}
        )
        if created or Membership.objects.filter(pk=membership.pk, is_active=False).update(is_active=True):
            membership.is_active = True
            transition_log(obj=membership, from_state="", to_state=f"{role}", actor=by)
    return membership


def member_remove(*, project: Project, user: User, role: Role | None = None, by: User | None) -> None:
    """Take a role (or all) from a person. What they judged stays; what an annotator holds goes back to the others."""
    memberships = Membership.objects.filter(project=project, user=user, is_active=True)
    if role is not None:
        memberships = memberships.filter(role=role)
    with transaction.atomic():
        project_hold(project=project)  # two admins who remove each other leave one
        removed = list(memberships)
        others = Membership.objects.filter(project=project, role=Role.ADMIN, is_active=True).exclude(user=user)
        if any(membership.role == Role.ADMIN for membership in removed) and not others.exists():
            raise Conflict(f"{user} is the only admin of {project}; make somebody else an admin first.")
        memberships.update(is_active=False)
        for membership in removed:  # at most one a role
            transition_log(obj=membership, from_state=membership.role, to_state="", actor=by)
        if any(membership.role == Role.ANNOTATOR for membership in removed):
            assignments_take_back(project=project, annotator=user, by=by)
