"""Judged pairs in trl's conversational preference format; the columns it does not name are ignored."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from modeling.data.chat import Message
from modeling.data.jsonl import messages_of, read_objects
from modeling.errors import BadInput
from modeling.spec import FileRef


@dataclasses.dataclass(frozen=True)
class Preference:
    """One judged pair. `*_cut` answers ended at the length limit and get no end token."""

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    prompt_id: str
    chosen_cut: bool = False
    rejected_cut: bool = False


def read_preferences(files: Sequence[FileRef]) -> Iterator[Preference]:
    """Yield the pairs of .jsonl files. Raises: BadInput."""
    for file in files:
        for where, row in read_objects(file):
            prompt = messages_of(row, "prompt", where, last="user")
            yield Preference(
                prompt=tuple(prompt),
                chosen=_answer(row, "chosen", where),
                rejected=_answer(row, "rejected", where),
                prompt_id=str(row.get("prompt_id") or "\n".join(message["content"] for message in prompt)),
                chosen_cut=_flag(row, "chosen_cut", where),
                rejected_cut=_flag(row, "rejected_cut", where),
            )


def _answer(row: dict[str, Any], key: str, where: str) -> str:
    messages = messages_of(row, key, where, last="assistant")
    if len(messages) != 1:
        raise BadInput(f"{where}: {key!r} must be one message of the assistant; earlier turns belong to 'prompt'.")
    return str(messages[0]["content"])


def _flag(row: dict[str, Any], key: str, where: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise BadInput(f"{where}: {key!r} must be true or false.")
    return value
