"""People and programs: accounts, API keys, and their roles in projects."""

import secrets
import zoneinfo
from collections.abc import Sequence

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.messages import check_text
from feedback.domain.scopes import Scope
from feedback.domain.states import LEARNED_FROM, Role, Standing, UserKind
from feedback.models import ApiToken, Membership, Project, User
from feedback.selectors.gold import known_in_use_exists
from feedback.services.assignment import assignments_take_back
from feedback.services.block import block_dissolve
from feedback.services.hold import project_hold
from feedback.services.transition import transition_log


def user_create(
    *,
    username: str,
    password: str | None = None,
    kind: UserKind = UserKind.HUMAN,
    email: str = "",
    name: str = "",
    is_staff: bool = False,
    is_superuser: bool = False,
    is_demo: bool = False,
) -> User:
    """Make an account; without a password nobody can sign in with it. Raises: Invalid, Conflict."""
    user = User(
        username=username,
        first_name=name,
        kind=kind,
        email=email,
        is_staff=is_staff,
        is_superuser=is_superuser,
        is_demo=is_demo,
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
        raise Conflict(
            _("There is a user %(username)s already; choose another name.") % {"username": username}
        ) from error
    return user


def person_update(*, user: User, name: str, email: str, language: str, time_zone: str) -> None:
    """Change what a person says about themselves. An empty language follows the browser. Raises: Invalid."""
    if language and language not in dict(settings.LANGUAGES):
        raise Invalid(
            _("There is no language %(language)s; choose from %(known)s.")
            % {"language": language, "known": ", ".join(dict(settings.LANGUAGES))}
        )
    if time_zone not in zoneinfo.available_timezones():
        raise Invalid(_("There is no time zone %(zone)s; they are named like Europe/Berlin.") % {"zone": time_zone})
    user.first_name, user.last_name = check_text(name, _("The name"), max_length=150, empty=True), ""
    user.email, user.language, user.time_zone = email, language, time_zone
    changed = ["first_name", "last_name", "email", "language", "time_zone"]
    try:
        user.clean_fields(exclude={field.name for field in User._meta.fields} - set(changed))  # noqa: SLF001 - Django's documented API
    except ValidationError as error:
        raise Invalid(" ".join(error.messages)) from error
    user.save(update_fields=changed)


def second_factor_remove(*, user: User, by: User) -> None:
    """Let a person who lost phone and codes sign in by password alone. Raises: Conflict when there is none."""
    with transaction.atomic():
        _per_model, deleted = Authenticator.objects.filter(user=user).delete()
        if not deleted:
            raise Conflict(_("%(user)s has no second factor.") % {"user": user})
        transition_log(obj=user, from_state="second factor", to_state="password alone", actor=by)


def tags_opt_out(*, project: Project, user: User, tags: Sequence[str]) -> None:
    """Note the tags of prompts that a person does not want to see in a project. Raises: Invalid."""
    chosen = sorted({check_text(tag, _("A tag"), max_length=200) for tag in tags})
    Membership.objects.filter(project=project, user=user).update(opted_out_tags=chosen)


def token_create(*, user: User, name: str, scopes: Sequence[str] = ()) -> tuple[ApiToken, str]:
    """Make a key for the API and return it with its clear text, which is not stored and cannot be shown again."""
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown:
        raise Invalid(
            _("There is no scope %(names)s; choose from %(known)s.")
            % {"names": ", ".join(unknown), "known": ", ".join(Scope.values)}
        )
    check_text(name, _("The key's name"), max_length=100)
    token, clear_text = ApiToken.objects.create(user, name=name, scopes=sorted(set(scopes)))
    return token, clear_text


def token_revoke(*, user: User, digest: str) -> None:
    """Delete a key of the user; programs that use it are refused from now on."""
    ApiToken.objects.filter(user=user, digest=digest).delete()


def member_add(*, project: Project, user: User, role: Role, by: User | None) -> Membership:
    """Give a person a role, or give it back. A person keeps one pseudonym for all roles in a project.

    New annotators of a project with training or qualification tasks begin by learning.
    """
    with transaction.atomic():
        project_hold(project=project)  # two roles given at the same moment get the same pseudonym
        pseudonym = (
            Membership.objects.filter(project=project, user=user).values_list("pseudonym", flat=True).first()
        ) or f"p-{secrets.token_hex(5)}"
        learns = role == Role.ANNOTATOR and known_in_use_exists(project=project, purposes=LEARNED_FROM)
        standing = Standing.LEARNING if learns else Standing.WORKING
        membership, created = Membership.objects.get_or_create(
            project=project, user=user, role=role, defaults={"pseudonym": pseudonym, "standing": standing}
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
            raise Conflict(
                _("%(user)s is the only admin of %(project)s; make somebody else an admin first.")
                % {"user": user, "project": project}
            )
        memberships.update(is_active=False)
        for membership in removed:  # at most one a role
            transition_log(obj=membership, from_state=membership.role, to_state="", actor=by)
        if any(membership.role == Role.ANNOTATOR for membership in removed):
            reason = gettext_noop("no longer an annotator")
            assignments_take_back(project=project, annotator=user, by=by, reason=reason)
            block_dissolve(project=project, user=user, by=by)
