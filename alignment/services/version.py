"""Model versions: publishing what a run made, or registering a model that was brought along."""

from pathlib import Path

from django.db import transaction as database
from django.utils.translation import gettext as _

from alignment.domain.errors import RoundRefused
from alignment.domain.states import VersionKind
from alignment.models import ModelVersion, Round, Run
from alignment.runs.artifacts import artifact_publish
from feedback.services.source import source_get_or_create
from modeling.spec.base import file_sha256

_POLICIES = {VersionKind.SFT, VersionKind.POLICY}
"""Kinds that answer prompts, and so need a source in feedback."""


def version_publish(*, run: Run, artifact: str, kind: VersionKind, parent: ModelVersion | None) -> ModelVersion:
    """Register what a succeeded run made, under a name that says whose it is. Idempotent."""
    name = version_name(run.round, run.purpose)
    if (known := ModelVersion.objects.filter(name=name).first()) is not None:
        return known
    path, files = artifact_publish(run, artifact, name)
    return _register(run.round, name, kind, path, files, parent=parent, run=run)


def version_import(*, round: Round, path: str, kind: VersionKind) -> ModelVersion:
    """Register a folder or hub id as it is; a folder's files are hashed, a hub id is hashed by the run that loads it.

    Raises: RoundRefused when the folder is no model that we load.
    """
    name = version_name(round, "import")
    if (known := ModelVersion.objects.filter(name=name).first()) is not None:
        return known
    return _register(round, name, kind, path, folder_hashes(path), parent=None, run=None)


def folder_hashes(path: str) -> dict[str, str]:
    """Return the hashes of a model folder's files, nothing for a hub id. Raises: RoundRefused."""
    folder = Path(path)
    if not folder.is_absolute():
        return {}
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise RoundRefused(
            _("%(folder)s must hold config.json and weights as .safetensors; pickled weights are not loaded.")
            % {"folder": folder}
        )
    return {
        str(file.relative_to(folder)): file_sha256(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    }


def version_name(round: Round, purpose: str) -> str:
    """Return the unique name of what a round makes; it is also the adapter's name on the policy server."""
    return f"p{round.project_id}-r{round.number}-{purpose}"


def _register(
    round_: Round, name: str, kind: VersionKind, path: str, files: dict[str, str], *,
    parent: ModelVersion | None, run: Run | None,
) -> ModelVersion:  # fmt: skip
    project = None if kind == VersionKind.BASE else round_.project
    with database.atomic():
        source = None
        if kind in _POLICIES:
            label = "SFT policy" if kind == VersionKind.SFT else "policy"
            source = source_get_or_create(project=round_.project, key=name, name=f"Round {round_.number} {label}")
        version, _created = ModelVersion.objects.get_or_create(
            name=name,
            defaults={
                "project": project, "kind": kind, "parent": parent, "run": run, "source": source, "path": path,
                "files": files, "metrics": run.metrics if run else {},
            },
        )  # fmt: skip
    return version
