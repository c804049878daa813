"""Judged pairs in trl's preference format, one row for each; ties are rows of their own file, if anybody asks for them.

Source: https://huggingface.co/docs/trl/dataset_formats (conversational, explicit prompt)
"""

import itertools
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
    "chosen_first",
    "strength",
    "edited",
    "consensus",
    "confidence",
    "reliability",
    "weight",
]


def preference_rows(*, project: Project | None = None, snapshot: Snapshot | None = None) -> Iterator[dict[str, Any]]:
    """Yield the pairs of a snapshot, or of a project's judgments that stand; disagreeing ones both have a row."""
    if snapshot is not None:
        return pairs_of(judged_of_snapshot(snapshot=snapshot))
    assert project is not None, "preference_rows needs a project or a snapshot"
    return pairs_of(judged_of_project(project=project))


def pairs_of(judged: Iterable[Judged]) -> Iterator[dict[str, Any]]:
    """Yield a row for each pair with a winner, and one for an improved answer over what it improves."""
    for one in judged:
        judgment = one.judgment
        for better, worse in pairs_from_ranks(judgment.ranks, judgment.cannot_judge).won:
            yield _row(one, one.answers[better], one.answers[worse], strength=judgment.strength) | {
                "chosen_first": _shown_first(one, better, worse),
                **_consensus(one, better, worse),
            }
        if judgment.edited_answer and judgment.edited_item is not None:
            yield _row(one, answer_written(one), one.answers[judgment.edited_item], edited=True)


def ties_of(judged: Iterable[Judged]) -> Iterator[dict[str, Any]]:
    """Yield a row for each pair of answers that were called equally good; which one stands as chosen means nothing."""
    for one in judged:
        for first, second in pairs_from_ranks(one.judgment.ranks, one.judgment.cannot_judge).tied:
            row = _row(one, one.answers[first], one.answers[second])
            yield row | {"chosen_first": _shown_first(one, first, second), "tie": True}


def rated_of(judged: Iterable[Judged]) -> Iterator[dict[str, Any]]:
    """Yield a row for each two answers that were rated on a scale: the better one as chosen, or a tie of equals."""
    for one in judged:
        for scale, scores in sorted(one.judgment.ratings.items()):
            rated = [item for item, score in enumerate(scores) if score is not None]
            for first, second in itertools.combinations(rated, 2):
                better, worse = (first, second) if scores[first] >= scores[second] else (second, first)
                row = _row(one, one.answers[better], one.answers[worse])
                told = {"chosen_first": _shown_first(one, better, worse), "dimension": scale}
                yield row | told | {"tie": scores[first] == scores[second]}


def answer_written(judged: Judged) -> Answer:
    """Return what the person wrote, as an answer whose source is the person."""
    return Answer(text=judged.judgment.edited_answer, sources=(judged.annotator,), cut=False)


def as_messages(answer: Answer) -> list[Message]:
    """Return an answer as the turn that follows its prompt."""
    return [{"role": "assistant", "content": answer.text}]


def _row(
    judged: Judged, chosen: Answer, rejected: Answer, *, strength: int | None = None, edited: bool = False
) -> dict[str, Any]:
    task = judged.judgment.task
    return {
        "prompt": task.prompt.messages,
        "chosen": as_messages(chosen),
        "rejected": as_messages(rejected),
        "task": task.pk,
        "annotator": judged.annotator,
        "chosen_source": source_label(chosen),
        "rejected_source": source_label(rejected),
        "prompt_id": task.prompt_id,
        "chosen_cut": chosen.cut,
        "rejected_cut": rejected.cut,
        "protocol": judged.judgment.protocol.number,
        "chosen_first": None,
        "strength": strength,
        "edited": edited,
        "consensus": None,
        "confidence": None,
        "reliability": judged.reliability,
        "weight": judged.weight,
    }


def _shown_first(judged: Judged, one: int, other: int) -> bool:
    """Return whether the annotator was shown the one answer before the other."""
    order: list[int] = judged.judgment.assignment.order
    return order.index(one) < order.index(other)


def _consensus(judged: Judged, better: int, worse: int) -> dict[str, Any]:
    """Return whether all judgments of the task together put the two answers in this order, and how surely."""
    if judged.consensus is None:
        return {}
    ranks = judged.consensus.ranks
    if ranks[better] == ranks[worse]:
        return {}
    return {"consensus": ranks[better] < ranks[worse], "confidence": judged.consensus.confidence}
