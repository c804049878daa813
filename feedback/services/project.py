"""Projects and the versions of their guidelines."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.messages import check_text
from feedback.domain.states import Role
from feedback.models import Project, Protocol, User
from feedback.services.person import member_add


def project_create(
    *,
    name: str,
    created_by: User,
    description: str = "",
    guidelines: str = "",
    overlap: int = 1,
    lease_s: int = 1_800,
    answers_per_task: int = 4,
    prompts_per_batch: int = 300,
    is_demo: bool = False,
) -> Project:
    """Make a project with the first version of its guidelines; its maker is its admin. Raises: Invalid, Conflict."""
    project = Project(
        name=name.strip(),
        description=description,
        overlap=overlap,
        lease_s=lease_s,
        answers_per_task=answers_per_task,
        prompts_per_batch=prompts_per_batch,
        is_demo=is_demo,
        created_by=created_by,
    )
    _check(project)
    with transaction.atomic():
        _save(project)
        _protocol_add(project, guidelines, number=1, by=created_by)
        member_add(project=project, user=created_by, role=Role.ADMIN, by=created_by)
    return project


def project_update(*, project: Project, by: User, guidelines: str | None = None, **changes: Any) -> Project:
    """Change a project's fields; a changed text of the guidelines makes a new version.

    Old judgments keep their version, open batches the overlap they began with. Raises: Invalid, Conflict.
    """
    known = {"name", "description", "overlap", "lease_s", "answers_per_task", "prompts_per_batch"}
    assert set(changes) <= known, f"not a setting of a project: {sorted(set(changes) - known)}"
    for field, value in changes.items():
        setattr(project, field, value)
    _check(project)
    with transaction.atomic():
        _save(project)  # first: it holds the project's row, so two changes at once cannot make the same version
        latest = Protocol.objects.filter(project=project).order_by("-number").first()
        if guidelines is not None and (latest is None or guidelines != latest.guidelines):
            _protocol_add(project, guidelines, number=latest.number + 1 if latest else 1, by=by)
    return project


def _check(project: Project) -> None:
    for field in ("name", "description"):
        check_text(getattr(project, field), f"The {field}", empty=True)
    try:
        project.full_clean(validate_unique=False)
    except ValidationError as error:
        reasons = [f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()]
        raise Invalid("; ".join(reasons)) from error


def _save(project: Project) -> None:
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError as error:
        raise Conflict(f"There is a project {project.name} already; choose another name.") from error


def _protocol_add(project: Project, guidelines: str, *, number: int, by: User) -> Protocol:
    check_text(guidelines, "The guidelines", max_length=50_000, empty=True)
    return Protocol.objects.create(project=project, number=number, guidelines=guidelines, created_by=by)
