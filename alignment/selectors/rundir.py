"""Reading run directories: where an attempt's files are, its events and the end of its log.

Files are written by another process at the same time, so a missing or half-written one is normal and reads as empty.
"""

from pathlib import Path
from typing import Any

from django.conf import settings

from alignment.domain.curves import events_parse
from alignment.models import Run
from modeling.spec.result import EVENTS, LOG

_MAX_EVENT_BYTES = 8 * 2**20
"""Of the newest events: a training writes about 100 bytes a step, so this is 80,000 steps in one page view."""
_MAX_LOG_BYTES = 256 * 2**10


def attempt_folder(run: Run, attempt: int | None = None) -> Path:
    """Return the folder of an attempt, the newest where none is named."""
    return settings.RUNS_ROOT / str(run.pk) / str(run.attempt if attempt is None else attempt)


def artifact_path(run: Run, name: str) -> Path:
    """Return the absolute path of an artifact of a succeeded run."""
    return settings.RUNS_ROOT / run.run_dir / str(run.result["artifacts"][name]["path"])


def events_read(folder: Path) -> list[dict[str, Any]]:
    """Return an attempt's events, oldest first."""
    return events_parse(_tail(folder / EVENTS, _MAX_EVENT_BYTES))


def log_tail(folder: Path, n_lines: int) -> str:
    """Return the last lines of what an attempt printed."""
    return "\n".join(_tail(folder / LOG, _MAX_LOG_BYTES)[-n_lines:])


def _tail(path: Path, n_bytes: int) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - n_bytes))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return lines[1:] if size > n_bytes else lines
