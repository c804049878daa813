"""Model versions and where they come from: from any deployed answer back to people, data and pretraining text."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from alignment.domain.states import VersionKind
from alignment.models import ModelVersion, Run
from alignment.selectors.deployment import version_path
from feedback.models import Project, Response, Snapshot
from feedback.selectors.snapshot import snapshot_people

_DEEPEST = 64
"""Steps back before a lineage is cut: each round that continues the last adapter adds one."""


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A file that a run read, with the hash it was pinned by."""

    field: str
    path: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Person:
    """An annotator behind a snapshot, under the project's pseudonym."""

    pseudonym: str
    n_judgments: int


@dataclasses.dataclass(frozen=True)
class LineageStep:
    """A version, the run that made it, what that run read, and the versions it was made from."""

    version: ModelVersion
    run: Run | None
    inputs: tuple[InputFile, ...]
    snapshot: Snapshot | None
    people: tuple[Person, ...]
    parents: tuple["LineageStep", ...]

    def walk(self) -> Iterator["LineageStep"]:
        """Yield this step and everything behind it, each version once."""
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            step = waiting.pop(0)
            if step.version.pk not in seen:
                seen.add(step.version.pk)
                yield step
                waiting.extend(step.parents)


def version_get(*, project: Project, version_id: int) -> ModelVersion:
    """Return a version of this project or of the site. Raises: ModelVersion.DoesNotExist."""
    return _versions(project).get(pk=version_id)


def version_list(*, project: Project) -> list[ModelVersion]:
    """Return the project's versions and the bases, newest first."""
    return list(_versions(project).order_by("-id"))


def version_of_response(response: Response) -> ModelVersion | None:
    """Return the version that gave an answer; imported answers have none."""
    return ModelVersion.objects.filter(source=response.source_id).first()


def version_continued(version: ModelVersion) -> ModelVersion | None:
    """Return the version whose adapter this one went on from, or None when it began fresh."""
    path = version.run.spec.get("adapter") if version.run else ""
    candidates = ModelVersion.objects.filter(project=version.project_id, kind=VersionKind.POLICY)
    return next(
        (item for item in candidates.select_related("run__round__snapshot") if version_path(item) == path), None
    )


def version_snapshots(version: ModelVersion) -> list[Snapshot]:
    """Return the snapshots that a policy's adapter was trained on, also those of the adapters that it continued."""
    found: list[Snapshot] = []
    step: ModelVersion | None = version
    while step is not None and step.run is not None:
        if step.run.round.snapshot is not None:
            found.append(step.run.round.snapshot)
        step = version_continued(step)
    return found


def version_lineage(version: ModelVersion) -> LineageStep:
    """Walk back from a version to the rankings, the people, the snapshot, the base and the texts behind it."""
    known = ModelVersion.objects.select_related("run__round__snapshot", "run__round__launched_by", "parent")
    candidates = known.filter(Q(project=version.project_id) | Q(project=None) | Q(pk=version.pk))
    return _step(version, {version_path(item): item for item in candidates}, _DEEPEST)


def _step(version: ModelVersion, by_path: dict[str, ModelVersion], depth: int) -> LineageStep:
    run = version.run
    spec = run.spec if run else {}
    parents = [by_path[path] for path in _model_paths(spec) if path in by_path and by_path[path].pk != version.pk]
    if version.parent is not None and version.parent not in parents:
        parents.append(version.parent)
    snapshot = run.round.snapshot if run else None
    return LineageStep(
        version=version,
        run=run,
        inputs=tuple(_inputs(spec)),
        snapshot=snapshot,
        people=tuple(Person(name, n) for name, n in snapshot_people(snapshot)) if snapshot else (),
        parents=tuple(_step(parent, by_path, depth - 1) for parent in parents) if depth else (),
    )


def _model_paths(spec: dict[str, Any]) -> list[str]:
    return [spec[name] for name in ("base", "adapter", "reward") if isinstance(spec.get(name), str) and spec[name]]


def _inputs(spec: dict[str, Any]) -> Iterator[InputFile]:
    for field, value in spec.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and "sha256" in item:
                yield InputFile(field, item["path"], item["sha256"])


def _versions(project: Project) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(Q(project=project) | Q(project=None)).select_related("parent", "run__round")
