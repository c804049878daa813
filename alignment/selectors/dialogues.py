"""What a base was tuned on, read from its SFT run's own files: those questions measure memory and not skill."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from alignment.models import ModelVersion
from modeling.spec.base import FileRef


def dialogue_files(base: ModelVersion) -> list[FileRef]:
    """Return the files that an SFT base was tuned on; none for one that was brought along tuned."""
    return [FileRef(**file) for file in base.run.spec.get("dialogues", ())] if base.run else []


def questions_in(files: Sequence[FileRef]) -> set[str]:
    """Return all that users say in files of dialogues. Raises: SpecError when one is gone or has changed."""
    return {turn.strip() for file in files for turn in _user_turns(file.check())}


def _user_turns(path: Path) -> Iterator[str]:
    """Read JSON lines, or Alpaca's JSON list, as `modeling.data.dialogues` does; the SFT run has checked the rows."""
    if path.suffix == ".json":
        for row in json.loads(path.read_bytes()):
            yield "\n\n".join(part for part in (row["instruction"], row.get("input")) if part)
        return
    with path.open("rb") as file:
        for line in filter(bytes.strip, file):
            yield from (turn["content"] for turn in json.loads(line)["messages"] if turn["role"] == "user")
