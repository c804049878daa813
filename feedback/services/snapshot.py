"""Freezing judgments into a dataset: which ones exactly, and the files that hold them."""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict, Invalid
from feedback.domain.split import half_of
from feedback.formats.datasheet import datasheet
from feedback.formats.writing import jsonl_lines
from feedback.models import Judgment, Project, QualityReport, Snapshot, User
from feedback.selectors.judgment import Judged, judged_by_ids, judgments_counted
from feedback.selectors.preference import pairs_of, rated_of, ties_of
from feedback.selectors.quality import Worth, report_computed, worth_of
from feedback.services.transition import transition_log

SAID = ("ranks", "cannot_judge", "all_bad", "strength", "ratings", "flags", "edited_item", "edited_answer", "rationale")
"""What a snapshot's hash covers of a judgment, beside the texts of its answers."""
ALL = "preferences.jsonl"
DATASHEET = "datasheet.md"
HALVES = {"a": "half_a.jsonl", "b": "half_b.jsonl"}
FILES = (
    (pairs_of, ALL, HALVES),
    (ties_of, "ties.jsonl", {"a": "half_a_ties.jsonl", "b": "half_b_ties.jsonl"}),
    (rated_of, "ratings.jsonl", {"a": "half_a_ratings.jsonl", "b": "half_b_ratings.jsonl"}),
)
"""The rows of a judgment, the file of all of them, and those of the halves."""


def snapshot_create(
    *,
    project: Project,
    by: User | None = None,
    after_judgment_id: int = 0,
    until_judgment_id: int | None = None,
    not_in: Sequence[Snapshot] = (),
    halves: bool = False,
) -> Snapshot:
    """Pin the judgments that stand and write them as pairs, ties and ratings apart, in ARTIFACTS_ROOT/snapshots/<id>/.

    `not_in` leaves out what earlier snapshots pinned; prefer it to `after_judgment_id`, since a lower id may be
    committed later. With `halves` more files hold the rows of two disjoint groups of prompts. The rows say what the
    newest quality report says of their annotators and tasks, and the filter names that report.

    Raises: Invalid when there is nothing to pin, Conflict when a new report came meanwhile: do it again.
    """
    standing = judgments_counted(project=project).filter(pk__gt=after_judgment_id)
    if until_judgment_id is not None:
        standing = standing.filter(pk__lte=until_judgment_id)
    pinned = standing.values_list("pk", flat=True)
    left_out = {judgment_id for earlier in not_in for judgment_id in earlier.judgment_ids}
    judgment_ids = sorted(set(pinned) - left_out)
    if not judgment_ids:
        raise Invalid(_("There are no new judgments in %(project)s; rank some answers first.") % {"project": project})
    root = Path(settings.ARTIFACTS_ROOT) / "snapshots"
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".tmp-", dir=root))
    try:
        report = report_computed(project=project)
        written = _write(folder, project, judgment_ids, worth_of(report), halves=halves)
        if report_computed(project=project) != report:
            raise Conflict(_("New quality figures came while the snapshot was written; make it again."))
        written.files[DATASHEET] = _write_datasheet(folder, project, written.counts, report)
        with transaction.atomic():
            snapshot = Snapshot.objects.create(
                project=project,
                judgment_ids=judgment_ids,
                filter={
                    "counted": True,
                    "after_judgment_id": after_judgment_id,
                    "until_judgment_id": until_judgment_id,
                    "not_in_snapshots": [earlier.pk for earlier in not_in],
                    "quality_report": report.pk if report else None,
                    "quality_computed_at": report.computed_at.isoformat() if report and report.computed_at else None,
                },
                counts=written.counts,
                sha256=written.sha256,
                created_by=by,
            )
            _place(folder, root / str(snapshot.pk), snapshot, written.files)
            transition_log(obj=snapshot, from_state="", to_state="pinned", actor=by)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # nothing is there any more when all went well
    return snapshot


@dataclasses.dataclass(frozen=True)
class _Written:
    files: dict[str, dict[str, Any]]
    counts: dict[str, int]
    sha256: str


class _Tally:
    """Counts and hashes judgments while they pass by on their way into a file."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self.prompts: set[int] = set()
        self.people: set[str] = set()

    def watch(self, judged: Iterator[Judged]) -> Iterator[Judged]:
        for one in judged:
            judgment = one.judgment
            self.digest.update(_said(judgment))
            for answer in one.answers:
                self.digest.update(hashlib.sha256(answer.text.encode()).digest())
            self.counts.update(judgments=1, pairs=judgment.n_pairs, ties=judgment.n_ties)
            self.counts.update(edited=judgment.edited_item is not None and bool(judgment.edited_answer))
            self.prompts.add(judgment.task.prompt_id)
            self.people.add(one.annotator)
            yield one


def _said(judgment: Judgment) -> bytes:
    """Return all that a judgment says, the same bytes on every database."""
    said = {name: getattr(judgment, name) for name in SAID}
    return json.dumps([judgment.pk, judgment.task_id, judgment.protocol_id, said], sort_keys=True).encode() + b"\n"


def _write(folder: Path, project: Project, judgment_ids: Sequence[int], worth: Worth, *, halves: bool) -> _Written:
    tally = _Tally()
    judged = tally.watch(judged_by_ids(project=project, judgment_ids=judgment_ids, worth=worth))
    names = [name for _, whole, parts in FILES for name in (whole, *(parts.values() if halves else ()))]
    rows: Counter[str] = Counter()
    streams = {name: (folder / name).open("w", encoding="utf-8") for name in names}
    try:
        for one in judged:
            half = half_of(one.judgment.task.prompt.group)
            for rows_of, whole, parts in FILES:
                lines = list(jsonl_lines(rows_of([one])))
                for name in (whole, parts[half]) if halves else (whole,):
                    streams[name].writelines(lines)
                    rows[name] += len(lines)
        for stream in streams.values():
            stream.flush()
            os.fsync(stream.fileno())
    finally:
        for stream in streams.values():
            stream.close()
    files = {name: {"sha256": _sha256(folder / name), "rows": rows[name]} for name in names}
    counts = {name: tally.counts[name] for name in ("judgments", "pairs", "ties", "edited")} | {
        "prompts": len(tally.prompts),
        "annotators": len(tally.people),
    }
    return _Written(files, counts, tally.digest.hexdigest())


def _write_datasheet(
    folder: Path, project: Project, counts: dict[str, int], report: QualityReport | None
) -> dict[str, Any]:
    text = datasheet(
        project=project.name,
        counts=counts,
        report_id=report.pk if report else None,
        computed_at=report.computed_at if report else None,
    )
    (folder / DATASHEET).write_text(text, encoding="utf-8")
    return {"sha256": _sha256(folder / DATASHEET), "rows": 0}


def _place(folder: Path, target: Path, snapshot: Snapshot, files: dict[str, dict[str, Any]]) -> None:
    """Give the folder its name. What stands there is of a transaction that never ended: no row points at it."""
    folder.chmod(0o755)
    shutil.rmtree(target, ignore_errors=True)
    folder.rename(target)
    snapshot.files = {name: {"path": str(target / name), **facts} for name, facts in files.items()}
    snapshot.save(update_fields=["files"])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
