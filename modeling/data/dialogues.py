"""Dialogues to fine-tune on: conversations or demonstrations as JSON lines, or a JSON list in the Alpaca format.

A conversation teaches every turn of the assistant, but for those marked {"weight": 0} (as in OpenAI's format for
fine-tuning); a demonstration teaches its completion alone, because the turns before it are a policy's.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from modeling.data.chat import Message
from modeling.data.jsonl import messages_of, read_objects, read_rows, text_of
from modeling.errors import BadInput
from modeling.spec import FileRef


@dataclasses.dataclass(frozen=True)
class Dialogue:
    """A conversation and the positions of the turns to learn; a `cut` one ends at a length limit, without end token."""

    messages: tuple[Message, ...]
    learn: tuple[int, ...]
    weight: float = 1.0
    """How much it counts beside the others; 0 for what a person wrote whose judgments count for nothing."""
    cut: bool = False


def read_dialogues(files: Sequence[FileRef]) -> Iterator[Dialogue]:
    """Yield the dialogues of .jsonl files (`messages`, or `prompt` and `completion`) and .json files (Alpaca).

    Raises: BadInput.
    """
    for file in files:
        if Path(file.path).suffix == ".json":
            yield from _read_alpaca(file)
        else:
            yield from (dialogue_of(row, where) for where, row in read_objects(file))


def dialogue_of(row: dict[str, Any], where: str) -> Dialogue:
    """Return the dialogue of one row. Raises: BadInput."""
    weight = row.get("weight")
    if weight is not None and (not isinstance(weight, (int, float)) or not 0 <= weight < math.inf):
        raise BadInput(f"{where}: 'weight' must be a number that is not negative.")
    if "completion" in row:
        prompt = messages_of(row, "prompt", where, last="user")
        messages = prompt + messages_of(row, "completion", where, last="assistant")
        marked = dict.fromkeys(range(len(prompt), len(messages)), 1)
    else:
        messages = messages_of(row, "messages", where, last="assistant")
        marked = {index: _mark(message, f"{where}: messages[{index}]") for index, message in enumerate(row["messages"])}
    learn = [index for index, mark in marked.items() if mark and messages[index]["role"] == "assistant"]
    if all(message["role"] != "user" for message in messages[: learn[0] if learn else -1]):
        raise BadInput(f"{where}: an answer of the assistant needs a question of the user before it.")
    return Dialogue(
        tuple(messages), tuple(learn), weight=1.0 if weight is None else float(weight), cut=row.get("cut") is True
    )


def _mark(message: dict[str, Any], where: str) -> int:
    mark = message.get("weight", 1)
    if mark not in (0, 1):
        raise BadInput(f"{where}: 'weight' must be 0 (not learnt) or 1.")
    return int(mark)


def _read_alpaca(file: FileRef) -> Iterator[Dialogue]:
    """Source: https://github.com/tatsu-lab/stanford_alpaca (instruction, optional input, output)."""
    for where, row in read_rows(file):
        parts = [text_of(row, "instruction", where), text_of(row, "input", where) if row.get("input") else ""]
        question = "\n\n".join(part for part in parts if part)
        answer = text_of(row, "output", where)
        yield Dialogue(({"role": "user", "content": question}, {"role": "assistant", "content": answer}), (1,))
