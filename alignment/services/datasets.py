"""The files that training runs read: a snapshot's rankings, and the prompts of a split."""

import json
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings

from alignment.domain.errors import RoundRefused
from alignment.models import Round
from feedback.domain.states import Split
from feedback.selectors.prompt import prompt_list

RANKINGS = "preferences.jsonl"
RANKINGS_OF_POLICY = "half_a.jsonl"
RANKINGS_OF_JUDGE = "half_b.jsonl"
"""Files of a snapshot: all pairs, and two halves by prompt for projects whose judge is a second reward model."""


def snapshot_file(round: Round, name: str) -> dict[str, Any]:
    """Return a file of the round's snapshot with the hash it was written with."""
    assert round.snapshot is not None, f"{round} is past its launch without a snapshot"
    file = round.snapshot.files[name]
    return {"path": file["path"], "sha256": file["sha256"]}


def prompts_file(round: Round, split: Split) -> Path:
    """Write a split's prompts where runs can read them, and return the file; the same prompts give the same bytes."""
    path: Path = settings.ARTIFACTS_ROOT / "prompts" / f"{round.pk}-{split}.jsonl"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    n_rows = 0
    with temporary.open("w", encoding="utf-8") as file:
        for prompt in prompt_list(project=round.project, split=split).iterator(chunk_size=2_000):
            row = {
                "id": str(prompt.pk), "messages": prompt.messages, "group": prompt.group, "split": prompt.split,
                "tags": prompt.tags,
            }  # fmt: skip
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            n_rows += 1
    if not n_rows:
        raise RoundRefused(f"There are no prompts of the split '{split}': import more prompts.")
    temporary.rename(path)
    return path
