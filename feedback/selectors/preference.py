"""Judged pairs in trl's preference format, one row for each; ties are counted, not written.

Source: https://huggingface.co/docs/trl/dataset_formats (conversational, explicit prompt)
"""

from collections.abc import Iterable, Iterator
from typing import Any

from feedback.domain.messages import Message
from feedback.domain.ranking import pairs_from_ranks
from feedback.models import Project, Snapshot
from feedback.selectors.judgment import Answer, Judged, judged_of_project, judged_of_snapshot, source_label

COLUMNS = [
    "prompt",
    "chosen",
    "rejected",
    "task",
    "annotator",
    "chosen_source",
    "rejected_source",
    "prompt_id",
    "chosen_cut",
    "rejected_cut",
    "protocol",
]


def preference_rows(*, project: Project | None = None, snapshot: Snapshot | None = None) -> Iterator[dict[str, Any]]:
    """Yield the pairs of a snapshot, or of a project's judgments that stand; disagreeing ones both have a row."""
    if snapshot is not None:
        return pairs_of(judged_of_snapshot(snapshot=snapshot))
    assert project is not None, "preference_rows needs a project or a snapshot"
    return pairs_of(judged_of_project(project=project))


def pairs_of(judged: Iterable[Judged]) -> Iterator[dict[str, Any]]:
    """Yield a row for each pair with a winner."""
    for one in judged:
        task = one.judgment.task
        for better, worse in pairs_from_ranks(one.judgment.ranks).won:
            chosen, rejected = one.answers[better], one.answers[worse]
            yield {
                "prompt": task.prompt.messages,
                "chosen": _messages(chosen),
                "rejected": _messages(rejected),
                "task": task.pk,
                "annotator": one.annotator,
                "chosen_source": source_label(chosen),
                "rejected_source": source_label(rejected),
                "prompt_id": task.prompt_id,
                "chosen_cut": chosen.cut,
                "rejected_cut": rejected.cut,
                "protocol": one.judgment.protocol.number,
            }


def _messages(answer: Answer) -> list[Message]:
    return [{"role": "assistant", "content": answer.text}]
