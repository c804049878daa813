"""What a run made: checked against its hashes, then published under a version's name.

Publishing copies into a temporary name and renames, so that a folder under the artifacts root is whole or absent.
"""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from alignment.domain.errors import AlignmentError
from alignment.models import Run
from alignment.selectors.rundir import artifact_path
from modeling.spec.base import file_sha256
from modeling.spec.result import Artifact, RunResult


class ArtifactBroken(AlignmentError):  # noqa: N818 - the state of the artifact
    """A result names a file that is missing, outside its folder or not the one that was hashed."""


def result_verify(folder: Path, on_file: Callable[[], object]) -> RunResult:
    """Read an attempt's result and check every file of it; `on_file` is called before each.

    Raises: ArtifactBroken.
    """
    try:
        result = RunResult.read(folder)
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ArtifactBroken(f"The stage ended well but left no readable result.json: {error}") from error
    for artifact in result.artifacts.values():
        root = _contained(folder / artifact.path, folder)
        for name, sha256 in artifact.files.items():
            on_file()
            path = _contained(root.parent / name if root.is_file() else root / name, folder)
            if not path.is_file() or file_sha256(path) != sha256:
                raise ArtifactBroken(f"{path} is missing or differs from what the run hashed.")
    return result


def artifact_publish(run: Run, name: str, version_name: str) -> tuple[str, dict[str, str]]:
    """Copy an artifact of a succeeded run to the artifacts root; return its path there and its hashes.

    Publishing twice, also at the same time, leaves one copy.
    """
    artifact = Artifact(**run.result["artifacts"][name])
    target: Path = settings.ARTIFACTS_ROOT / version_name
    if not target.exists():
        settings.ARTIFACTS_ROOT.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{version_name}.{uuid.uuid4().hex}")
        shutil.copytree(artifact_path(run, name), temporary, copy_function=_link_or_copy)
        try:
            temporary.rename(target)
        except OSError:
            shutil.rmtree(temporary)
            if not target.exists():
                raise
    return version_name, artifact.files


def _link_or_copy(source: str, target: str) -> None:
    """Hard-link where the file system allows: both names are read-only from here on, and models are large."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _contained(path: Path, folder: Path) -> Path:
    resolved = path.resolve()
    if not resolved.is_relative_to(folder.resolve()):
        raise ArtifactBroken(f"{path} lies outside its run directory.")
    return resolved
