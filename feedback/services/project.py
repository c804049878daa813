"""Projects and the versions of what they ask annotators for."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.gold import ORDERED
from feedback.domain.messages import check_text
from feedback.domain.protocol import ProtocolKind, ProtocolOptions
from feedback.domain.states import Role
from feedback.models import Project, Protocol, User
from feedback.selectors.gold import known_in_use_exists
from feedback.services.person import member_add

SETTINGS = frozenset(
    {
        "name", "description", "overlap", "lease_s", "answers_per_task", "prompts_per_batch", "gold_share",
        "repeat_share", "qualification_pass", "max_overlap", "min_agreement", "daily_cap",
    }
)  # fmt: skip
"""Fields of a project that its admins change."""


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What annotators are asked for: all that a version of the protocol holds."""

    guidelines: str
    kind: ProtocolKind
    options: ProtocolOptions


def project_create(
    *,
    name: str,
    created_by: User,
    guidelines: str = "",
    kind: ProtocolKind = ProtocolKind.RANK,
    options: ProtocolOptions | None = None,
    is_demo: bool = False,
    **settings: Any,
) -> Project:
    """Make a project with the first version of its protocol; its maker is its admin. Raises: Invalid, Conflict."""
    _check_names(settings)
    project = Project(name=name.strip(), is_demo=is_demo, created_by=created_by, **settings)
    _check(project)
    with transaction.atomic():
        _save(project)
        asked = _Asked(guidelines, kind, ProtocolOptions() if options is None else options)
        _protocol_add(project, asked, number=1, by=created_by)
        member_add(project=project, user=created_by, role=Role.ADMIN, by=created_by)
    return project


def project_update(
    *,
    project: Project,
    by: User,
    guidelines: str | None = None,
    kind: ProtocolKind | None = None,
    options: ProtocolOptions | None = None,
    **changes: Any,
) -> Project:
    """Change a project's fields; another text, kind or option makes a new version of its protocol.

    Old judgments keep their version, open batches the overlap they began with, and their tasks a kind that can judge
    them. Raises: Invalid, Conflict.
    """
    _check_names(changes)
    for field, value in changes.items():
        setattr(project, field, value)
    _check(project)
    with transaction.atomic():
        _save(project)  # first: it holds the project's row, so two changes at once cannot make the same version
        latest = Protocol.objects.filter(project=project).order_by("-number")[0]
        before = _Asked(latest.guidelines, ProtocolKind(latest.kind), ProtocolOptions.from_json(latest.options))
        asked = _Asked(
            before.guidelines if guidelines is None else guidelines,
            before.kind if kind is None else kind,
            before.options if options is None else options,
        )
        if asked != before:
            _check_known(project, asked)
            _protocol_add(project, asked, number=latest.number + 1, by=by)
    return project


def _check_names(settings: Mapping[str, Any]) -> None:
    assert set(settings) <= SETTINGS, f"not a setting of a project: {sorted(set(settings) - SETTINGS)}"


def _check_known(project: Project, asked: _Asked) -> None:
    if asked.kind not in ORDERED and known_in_use_exists(project=project):
        raise Conflict(_("There are known answers in use, and they are orders; retire them first."))


def _check(project: Project) -> None:
    check_text(project.name, _("The name"), empty=True)
    check_text(project.description, _("The description"), empty=True)
    try:
        project.full_clean(validate_unique=False)
    except ValidationError as error:
        reasons = [f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()]
        raise Invalid("; ".join(reasons)) from error
    if project.max_overlap is not None and project.max_overlap < project.overlap:
        raise Invalid(_("The most judgments a task cannot be fewer than the judgments a task."))


def _save(project: Project) -> None:
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError as error:
        raise Conflict(
            _("There is a project %(name)s already; choose another name.") % {"name": project.name}
        ) from error


def _protocol_add(project: Project, asked: _Asked, *, number: int, by: User) -> Protocol:
    check_text(asked.guidelines, _("The guidelines"), max_length=50_000, empty=True)
    asked.options.validate(asked.kind)
    return Protocol.objects.create(
        project=project,
        number=number,
        kind=asked.kind,
        guidelines=asked.guidelines,
        options=asked.options.to_json(),
        created_by=by,
    )
