"""Taking prompts into a project: a file whole or not at all."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _

from feedback.domain.errors import UploadRefused
from feedback.domain.messages import messages_sha256
from feedback.domain.split import split_of
from feedback.domain.states import Split
from feedback.formats.prompts import PromptRow, read_prompts
from feedback.models import Project, Prompt, User
from feedback.services.hold import project_hold
from feedback.services.transition import transition_log

LOOK_UP_CHUNK = 900
"""Values in one IN (...): older SQLite takes 999 parameters."""
INSERT_CHUNK = 1_000


@dataclasses.dataclass(frozen=True)
class PromptImport:
    n_added: int
    n_known: int
    """Rows whose conversation the project had already, or that stand twice in the file."""


def prompts_import(*, project: Project, file: BinaryIO, filename: str, by: User | None = None) -> PromptImport:
    """Add a file's prompts: JSONL, a JSON list, Alpaca JSON, CSV or lines of text. Raises: UploadRefused.

    Prompts of one group share a split. Where a row names none, its group's is taken, or follows from the group's hash.
    """
    rows = list(read_prompts(file, filename))
    by_hash: dict[str, PromptRow] = {}
    for row in rows:
        by_hash.setdefault(messages_sha256(row.messages), row)
    with transaction.atomic():
        project_hold(project=project)
        known = prompts_known(project=project, hashes=by_hash)
        new = {digest: row for digest, row in by_hash.items() if digest not in known}
        splits = _splits_of(project, new)
        Prompt.objects.bulk_create(
            [
                Prompt(
                    project=project,
                    external_id=row.external_id,
                    messages=row.messages,
                    content_sha256=digest,
                    group=row.group or digest,
                    split=splits[row.group or digest],
                    tags=row.tags,
                )
                for digest, row in new.items()
            ],
            batch_size=INSERT_CHUNK,
        )
        transition_log(obj=project, from_state="", to_state="prompts added", actor=by, reason=f"{len(new)} from a file")
    return PromptImport(n_added=len(new), n_known=len(rows) - len(new))


def prompts_known(*, project: Project, hashes: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Return {content hash: (id, split)} of those prompts that the project has."""
    known: dict[str, tuple[int, str]] = {}
    for chunk in _chunks(hashes):
        prompts = Prompt.objects.filter(project=project, content_sha256__in=chunk)
        known |= {digest: (pk, split) for digest, pk, split in prompts.values_list("content_sha256", "pk", "split")}
    return known


def _splits_of(project: Project, rows: dict[str, PromptRow]) -> dict[str, Split]:
    """Return the split of each group. Raises: UploadRefused when a group would stand on both sides."""
    splits: dict[str, Split] = {}
    for chunk in _chunks({row.group for row in rows.values() if row.group}):
        prompts = Prompt.objects.filter(project=project, group__in=chunk)
        splits |= {group: Split(split) for group, split in prompts.values_list("group", "split").distinct()}
    for digest, row in rows.items():
        if row.split is None:
            continue
        group = row.group or digest
        split = splits.setdefault(group, row.split)
        if row.split != split:
            reason = _(
                "split is %(split)s, but other prompts of the group %(group)s are %(other)s; a group shares a split."
            )
            raise UploadRefused(reason % {"split": row.split, "group": group, "other": split}, row.line)
    for digest, row in rows.items():
        splits.setdefault(row.group or digest, split_of(row.group or digest))
    return splits


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    listed = list(values)
    return (listed[start : start + LOOK_UP_CHUNK] for start in range(0, len(listed), LOOK_UP_CHUNK))
