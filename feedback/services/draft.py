"""Keeping what a person has typed into a task, so that a reload, another tab or another device goes on with it."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict, Invalid, NotAllowed
from feedback.domain.messages import check_text
from feedback.domain.states import AssignmentState
from feedback.models import Assignment, Draft, User

MAX_LENGTH = 150_000
"""Characters of all fields together: the longest improved answer, the longest rationale, and room for the rest."""

_FIELD = re.compile(
    r"(rank|cannot|flag)_[A-I]|rating_[a-z][a-z0-9_]{0,31}_[A-I]|all_bad|strength|edited|edited_answer|rationale"
    r"|active_s|correction|client_key|skip_reason|skip_note|report"
)
"""Fields of a task's form; whatever else a page sends with them, such as the token against forgery, is not kept."""


def draft_save(*, assignment: Assignment, annotator: User, fields: Any, version: Any) -> Draft:
    """Keep the fields of a form, {"rank_A": ["1"]}; `version` is the last one that the caller knows, 0 for none.

    Both are taken as they were sent. The lease of the task begins anew: who types has not gone away.

    Raises: NotAllowed, Invalid, Conflict when another tab has saved since, or when the task is done.
    """
    if assignment.annotator_id != annotator.pk:
        raise NotAllowed(_("This task is with another annotator."))
    kept = _check_fields(fields)
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version < 2**31 - 1:
        raise Invalid(_("version must be a whole number, 0 for a first draft."))
    try:
        with transaction.atomic():
            return _save(assignment, kept, version)
    except IntegrityError as error:  # two first saves at once
        raise _newer() from error


def _save(assignment: Assignment, fields: dict[str, list[str]], version: int) -> Draft:
    # Holds the assignment's row: a judgment that is being stored either waits and drops this draft, or is seen here.
    rows = Assignment.objects.filter(pk=assignment.pk)
    if not fields.get("correction"):
        rows = rows.filter(state__in=(AssignmentState.HELD, AssignmentState.EXPIRED))
    if not rows.update(state=F("state")):
        raise Conflict(_("This task is done or was given back; nothing more is kept for it."))
    until = timezone.now() + dt.timedelta(seconds=assignment.task.project.lease_s)
    rows.filter(state=AssignmentState.HELD, shown_at__isnull=False, lease_expires_at__lt=until).update(
        lease_expires_at=until
    )
    drafts = Draft.objects.filter(assignment=assignment)
    if not drafts.filter(version__lte=version).update(fields=fields, version=version + 1, saved_at=timezone.now()):
        if drafts.exists():
            raise _newer()
        return Draft.objects.create(assignment=assignment, fields=fields, version=version + 1)
    return drafts.get()


def _newer() -> Conflict:
    return Conflict(_("Another tab has a newer draft of this task; reload to go on with it."))


def _check_fields(fields: Any) -> dict[str, list[str]]:
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        raise Invalid(_('fields must be the fields of a form: {"rank_A": ["1"]}.'))
    kept = {name: values for name, values in fields.items() if _FIELD.fullmatch(name)}
    length = 0
    for name, values in kept.items():
        if not isinstance(values, list):
            raise Invalid(_("%(name)s must be a list of texts.") % {"name": name})
        for value in values:
            length += len(check_text(value, name, max_length=MAX_LENGTH, empty=True))
    if length > MAX_LENGTH:
        raise Invalid(_("The draft is too long to keep: %(length)s characters.") % {"length": f"{length:,}"})
    return {name: list(values) for name, values in kept.items()}
