"""The files that training runs read: a snapshot's rankings, and the prompts of a split."""

import json
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from alignment.domain.errors import RoundRefused
from alignment.models import Round
from alignment.selectors.deployment import version_base
from alignment.selectors.dialogues import dialogue_files, questions_in
from feedback.domain.states import Split
from feedback.models import Prompt
from feedback.selectors.prompt import prompt_list
from modeling.spec import SpecError

RANKINGS = "preferences.jsonl"
RANKINGS_OF_POLICY = "half_a.jsonl"
RANKINGS_OF_JUDGE = "half_b.jsonl"
"""Files of a snapshot: all pairs, and two halves by prompt for projects whose judge is a second reward model."""
TIES = {RANKINGS: "ties.jsonl", RANKINGS_OF_POLICY: "half_a_ties.jsonl", RANKINGS_OF_JUDGE: "half_b_ties.jsonl"}
RATINGS = {
    RANKINGS: "ratings.jsonl",
    RANKINGS_OF_POLICY: "half_a_ratings.jsonl",
    RANKINGS_OF_JUDGE: "half_b_ratings.jsonl",
}
"""The ties and the pairs by ratings beside each; snapshots of earlier versions have none."""


def snapshot_file(round: Round, name: str) -> dict[str, Any]:
    """Return a file of the round's snapshot with the hash it was written with."""
    assert round.snapshot is not None, f"{round} is past its launch without a snapshot"
    file = round.snapshot.files[name]
    return {"path": file["path"], "sha256": file["sha256"]}


def snapshot_files(round: Round, name: str) -> list[dict[str, Any]]:
    """Return a file of rankings and those of its ties and ratings, as far as these have rows."""
    assert round.snapshot is not None, f"{round} is past its launch without a snapshot"
    files = round.snapshot.files
    beside = [one for one in (TIES[name], RATINGS[name]) if one in files and files[one]["rows"]]
    return [snapshot_file(round, one) for one in (name, *beside)]


def prompts_file(round: Round, split: Split) -> Path:
    """Write a split's prompts where runs can read them, and return the file; the same prompts give the same bytes.

    Of the held-out prompts those are left out, and counted, whose question the base was tuned on. Raises: RoundRefused.
    """
    path: Path = settings.ARTIFACTS_ROOT / "prompts" / f"{round.pk}-{split}.jsonl"
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
    tuned_on = _tuned_on(round) if split == Split.HELDOUT else set()
    n_rows, n_left_out = _write(temporary, prompt_list(project=round.project, split=split), without=tuned_on)
    if not n_rows:
        temporary.unlink()
        raise RoundRefused(_nothing_to_use(split, n_left_out))
    if n_left_out:
        Round.objects.filter(pk=round.pk).update(n_heldout_left_out=n_left_out)
    temporary.rename(path)
    return path


def _nothing_to_use(split: Split, n_left_out: int) -> str:
    said = _("There are no prompts of the split '%(split)s' to use: import more prompts.") % {"split": split}
    if not n_left_out:
        return said
    why = _("All %(n)d are in the dialogues that the base was tuned on.") % {"n": n_left_out}
    return f"{said} {why}"


def _write(path: Path, prompts: QuerySet[Prompt], *, without: set[str]) -> tuple[int, int]:
    """Write the prompts but those that end with a question of `without`; return how many were written and left out."""
    n_rows = n_left_out = 0
    with path.open("w", encoding="utf-8") as file:
        for prompt in prompts.iterator(chunk_size=2_000):
            if prompt.messages[-1]["content"].strip() in without:
                n_left_out += 1
                continue
            row = {
                "id": str(prompt.pk), "messages": prompt.messages, "group": prompt.group, "split": prompt.split,
                "tags": prompt.tags,
            }  # fmt: skip
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            n_rows += 1
    return n_rows, n_left_out


def _tuned_on(round_: Round) -> set[str]:
    assert round_.previous is not None, f"{round_} was not launched"
    try:
        return questions_in(dialogue_files(version_base(round_.previous)))
    except SpecError as error:
        said = _("Put back what the base was tuned on, for only it tells which held-out prompts the base has seen.")
        raise RoundRefused(f"{said} {error}") from error
