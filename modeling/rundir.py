"""The run directory from inside the run: events out, checkpoints that are whole or absent, and the result written last.

Knows files and signals; knows no stage and imports no torch.
"""

import dataclasses
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from modeling.spec.base import file_sha256
from modeling.spec.result import ARTIFACTS, CHECKPOINTS, EVENTS, RESULT, Artifact, RunResult

COMPLETE = "COMPLETE"
SNAPSHOTS = "snapshots"
_KEPT_CHECKPOINTS = 2  # the newest may be cut off by a full disk after its rename; one older is insurance
_PROGRESS_INTERVAL_S = 0.2  # a page polls every 2 s; more events only make files
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755  # safetensors writes 0600, which other accounts could not read


class RunDir:
    """One attempt's folder, and the folders of earlier attempts whose checkpoints it may go on from."""

    def __init__(self, path: str | Path, resume_from: Sequence[str | Path] = ()) -> None:
        self.path = Path(path)
        self.resume_from = tuple(Path(folder) for folder in resume_from)
        self.path.mkdir(parents=True, exist_ok=True)
        self.started_at = time.monotonic()
        self._stop_requested = False
        self._last_progress_at = -_PROGRESS_INTERVAL_S
        if not (self.path / RESULT).exists():
            self._sweep()

    def _sweep(self) -> None:
        """Remove what an attempt in this folder left half-written when it was killed."""
        half_written = (file for folder in (CHECKPOINTS, SNAPSHOTS) for file in self.path.glob(f"{folder}/*.tmp"))
        for leftover in (self.path / ARTIFACTS, *half_written):
            shutil.rmtree(leftover, ignore_errors=True)

    # -- events

    def progress(self, done: float, total: float, unit: str = "steps") -> None:
        """Say how far the run is; at most five times a second, and always at the end."""
        now = time.monotonic()
        if done < total and now - self._last_progress_at < _PROGRESS_INTERVAL_S:
            return
        self._last_progress_at = now
        self._event("progress", done=done, total=total, unit=unit)

    def metrics(self, step: int, **values: float) -> None:
        """Record measurements at a step. Names carry their unit."""
        self._event("metrics", step=step, values=values)

    def message(self, text: str) -> None:
        """Tell the person who watches one thing in words."""
        self._event("message", text=text)

    def error(self, text: str) -> None:
        """Record why the run ends without a result; the last event of a failed run."""
        self._event("error", text=text)

    def _event(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"t": round(time.time(), 3), "type": kind, **fields}, ensure_ascii=False)
        with (self.path / EVENTS).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    # -- stopping

    @property
    def should_stop(self) -> bool:
        """Whether someone asked the run to stop: write a checkpoint and raise Stopped."""
        return self._stop_requested

    def request_stop(self) -> None:
        """Ask the run to stop at its next step."""
        self._stop_requested = True

    def stop_on_signals(self) -> None:
        """Let SIGTERM and SIGINT request a stop; a second one ends the process as usual."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.request_stop()
        signal.signal(number, signal.SIG_DFL)

    # -- checkpoints

    def save_checkpoint(self, step: int, write: Callable[[Path], None]) -> Path:
        """Let `write` fill a folder and publish it under the step's name, whole or not at all."""
        final = self._save_folder(CHECKPOINTS, step, write)
        for old in self._complete(CHECKPOINTS, self.path)[:-_KEPT_CHECKPOINTS]:
            shutil.rmtree(old)
        return final

    def newest_checkpoint(self) -> Path | None:
        """Return the furthest complete checkpoint of this and the earlier attempts."""
        found = [item for folder in (self.path, *self.resume_from) for item in self._complete(CHECKPOINTS, folder)]
        return max(found, key=lambda folder: folder.name, default=None)

    def save_snapshot(self, step: int, write: Callable[[Path], None]) -> Path:
        """Let `write` fill a folder that is kept until the run's end and beyond this attempt, whole or not at all."""
        return self._save_folder(SNAPSHOTS, step, write)

    def snapshots(self) -> dict[int, Path]:
        """Return the complete snapshots of this and the earlier attempts by their step."""
        found = (item for folder in (*self.resume_from, self.path) for item in self._complete(SNAPSHOTS, folder))
        return {int((folder / COMPLETE).read_text(encoding="utf-8")): folder for folder in found}

    def _save_folder(self, kind: str, step: int, write: Callable[[Path], None]) -> Path:
        final = self.path / kind / f"step-{step:08d}"
        temporary = final.with_suffix(".tmp")
        for folder in (temporary, final):
            shutil.rmtree(folder, ignore_errors=True)
        temporary.mkdir(parents=True)
        write(temporary)
        (temporary / COMPLETE).write_text(f"{step}\n", encoding="utf-8")
        _sync_tree(temporary)
        temporary.rename(final)
        _sync(final.parent)
        return final

    @staticmethod
    def _complete(kind: str, run_path: Path) -> list[Path]:
        return sorted(marker.parent for marker in (run_path / kind).glob(f"step-*[0-9]/{COMPLETE}"))

    # -- the end

    def artifact(self, name: str) -> Path:
        """Return where to write an artifact: a file when the name has a suffix, else a folder, which is made."""
        path = self.path / ARTIFACTS / name
        (path.parent if path.suffix else path).mkdir(parents=True, exist_ok=True)
        return path

    def finish(
        self, *, stage: str, seed: int, metrics: dict[str, Any], versions: dict[str, str], device: str, dtype: str
    ) -> RunResult:
        """Make the artifacts durable, hash them and write `result.json`: from then on the run has succeeded."""
        root = self.path / ARTIFACTS
        artifacts = {}
        if root.is_dir():
            _open_modes(root)
            _sync_tree(root)
            artifacts = {item.name: _describe(item, self.path) for item in sorted(root.iterdir())}
        result = RunResult(
            stage=stage, artifacts=artifacts, metrics=metrics, versions=versions, device=device, dtype=dtype,
            seed=seed, duration_s=round(time.monotonic() - self.started_at, 3),
        )  # fmt: skip
        write_json(self.path / RESULT, dataclasses.asdict(result))
        return result


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file durably, under a temporary name and renamed."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _sync(temporary)
    temporary.rename(path)
    _sync(path.parent)


def _describe(item: Path, run_path: Path) -> Artifact:
    files = [item] if item.is_file() else sorted(file for file in item.rglob("*") if file.is_file())
    base = item.parent if item.is_file() else item
    return Artifact(str(item.relative_to(run_path)), {str(file.relative_to(base)): file_sha256(file) for file in files})


def _open_modes(root: Path) -> None:
    for item in (root, *root.rglob("*")):
        item.chmod(_FOLDER_MODE if item.is_dir() else _FILE_MODE)


def _sync_tree(root: Path) -> None:
    for item in root.rglob("*"):
        _sync(item)
    _sync(root)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
