"""How a stage ends: its exit code and `result.json`."""

import dataclasses
import enum
import json
from pathlib import Path
from typing import Any, Self

EVENTS = "events.jsonl"
RESULT = "result.json"
SPEC = "spec.json"
LOG = "run.log"
CHECKPOINTS = "checkpoints"
ARTIFACTS = "artifacts"


class ExitCode(enum.IntEnum):
    """What the orchestrator may conclude from a stage's end without reading anything else."""

    OK = 0
    CRASHED = 1
    """A bug or a full machine: worth another attempt."""
    BAD_INPUT = 2
    """The specification or its data cannot be used: another attempt ends the same way. The last event says why."""
    REFUSED = 3
    """The result must not be used (diverged, collapsed): no second attempt. The last event says why."""
    STOPPED = 75
    """Asked to stop by SIGTERM or SIGINT; a checkpoint was written: another attempt goes on from there."""


@dataclasses.dataclass(frozen=True)
class Artifact:
    """A folder or file that a stage made: path relative to the run directory, and sha256 by file name."""

    path: str
    files: dict[str, str]


@dataclasses.dataclass(frozen=True)
class RunResult:
    """`result.json`: written last, under a temporary name and renamed, so that its presence means success."""

    stage: str
    artifacts: dict[str, Artifact]
    metrics: dict[str, Any]
    versions: dict[str, str]
    device: str
    dtype: str
    seed: int
    duration_s: float

    @classmethod
    def read(cls, run_dir: str | Path) -> Self:
        """Read a finished run's result. Raises: FileNotFoundError when it has none."""
        data = json.loads((Path(run_dir) / RESULT).read_text(encoding="utf-8"))
        data["artifacts"] = {name: Artifact(**value) for name, value in data["artifacts"].items()}
        return cls(**data)
