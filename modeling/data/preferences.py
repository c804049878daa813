"""Judged pairs in trl's conversational preference format, with what is known about the judgment behind each.

Also in the ShareGPT shape of https://github.com/hiyouga/LLaMA-Factory/tree/main/data: conversations, chosen, rejected.

Columns beside `prompt`, `chosen` and `rejected` may be absent or null; those not named here are ignored.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from modeling.data.chat import Message
from modeling.data.jsonl import messages_of, read_rows
from modeling.errors import BadInput
from modeling.spec import FileRef

SHAREGPT_ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judgment:
    """What is known about the judgment that put chosen before rejected."""

    ranking: str = ""
    """Names the ranking that the pair is a part of: pairs of one ranking are not independent. Empty: a pair alone."""
    tie: bool = False
    """The answers were called equally good; which of them stands as chosen means nothing."""
    strength: int | None = None
    """How much better, from 1 to 3, where that was asked."""
    weight: float = 1.0
    """Of the annotator's judgments: 0 for a spammer, 1 for a typical annotator."""
    reliability: float | None = None
    """The annotator's probability of getting two answers right; 0.5 is a coin."""
    consensus: bool | None = None
    """Whether all judgments of the task together put chosen before rejected."""
    confidence: float | None = None
    """How surely that consensus is known, from 0.5 to 1."""
    dimension: str = ""
    """What was judged, where several things were; empty for the whole answer."""
    chosen_first: bool | None = None
    """Whether the annotator was shown chosen before rejected, where that is known."""


@dataclasses.dataclass(frozen=True)
class Preference:
    """One judged pair. `*_cut` answers ended at the length limit and get no end token."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    prompt_id: str
    chosen_cut: bool = False
    rejected_cut: bool = False
    judgment: Judgment = Judgment()


def read_preferences(files: Sequence[FileRef]) -> Iterator[Preference]:
    """Yield the pairs of .jsonl files and .json lists. Raises: BadInput."""
    for file in files:
        for where, given in read_rows(file):
            row = _from_sharegpt(given) if "conversations" in given else given
            prompt = messages_of(row, "prompt", where, last="user")
            yield Preference(
                prompt=tuple(prompt),
                chosen=_answer(row, "chosen", where),
                rejected=_answer(row, "rejected", where),
                prompt_id=str(row.get("prompt_id") or "\n".join(message["content"] for message in prompt)),
                chosen_cut=bool(_flag(row, "chosen_cut", where)),
                rejected_cut=bool(_flag(row, "rejected_cut", where)),
                judgment=_judgment(row, where),
            )


def _from_sharegpt(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with trl's keys and roles; what is no conversation stays as it is, to be complained of."""
    turns = {"prompt": row["conversations"], **{side: [row.get(side)] for side in ("chosen", "rejected")}}
    return row | {key: [_message(turn) for turn in value] for key, value in turns.items() if isinstance(value, list)}


def _message(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    return {"role": SHAREGPT_ROLES.get(str(turn.get("from"))), "content": turn.get("value")}


def _judgment(row: dict[str, Any], where: str) -> Judgment:
    task, annotator = row.get("task"), row.get("annotator")
    weight = _number(row, "weight", where, low=0, high=math.inf)
    strength = _number(row, "strength", where, low=0, high=3)
    return Judgment(
        ranking="" if task is None or annotator is None else f"{task} {annotator}",
        tie=bool(_flag(row, "tie", where)),
        strength=None if strength is None else int(strength),
        weight=1.0 if weight is None else weight,
        reliability=_number(row, "reliability", where, low=0, high=1),
        consensus=_flag(row, "consensus", where),
        confidence=_number(row, "confidence", where, low=0, high=1),
        dimension=str(row.get("dimension") or ""),
        chosen_first=_flag(row, "chosen_first", where),
    )


def _answer(row: dict[str, Any], key: str, where: str) -> str:
    messages = messages_of(row, key, where, last="assistant")
    if len(messages) != 1:
        raise BadInput(f"{where}: {key!r} must be one message of the assistant; earlier turns belong to 'prompt'.")
    return str(messages[0]["content"])


def _flag(row: dict[str, Any], key: str, where: str) -> bool | None:
    value = row.get(key)
    if value is not None and not isinstance(value, bool):
        raise BadInput(f"{where}: {key!r} must be true or false.")
    return value


def _number(row: dict[str, Any], key: str, where: str, *, low: float, high: float) -> float | None:
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadInput(f"{where}: {key!r} must be a number from {low} to {high}, not {value!r}.")
    return float(value)
