"""Dialogues to fine-tune on: conversations as JSON lines, or a JSON list in the Alpaca format."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from modeling.data.chat import Message
from modeling.data.jsonl import messages_of, read_lines, read_objects, text_of
from modeling.errors import BadInput
from modeling.spec import FileRef


@dataclasses.dataclass(frozen=True)
class Dialogue:
    """A prompt and the answer to learn. An answer that is `cut` ends at a length limit and gets no end token."""

    prompt: tuple[Message, ...]
    answer: str
    cut: bool = False


def read_dialogues(files: Sequence[FileRef]) -> Iterator[Dialogue]:
    """Yield the dialogues of .jsonl files ({"messages"}) and .json files (Alpaca). Raises: BadInput."""
    for file in files:
        if Path(file.path).suffix == ".json":
            yield from _read_alpaca(file)
            continue
        for where, row in read_objects(file):
            messages = messages_of(row, "messages", where, last="assistant")
            if len(messages) < 2:
                raise BadInput(f"{where}: 'messages' needs a question before the answer.")
            yield Dialogue(tuple(messages[:-1]), str(messages[-1]["content"]), cut=row.get("cut") is True)


def _read_alpaca(file: FileRef) -> Iterator[Dialogue]:
    """Source: https://github.com/tatsu-lab/stanford_alpaca (instruction, optional input, output)."""
    try:
        rows = json.loads("".join(line for _, line in read_lines(file)))
    except json.JSONDecodeError as error:
        raise BadInput(f"{file.path}, line {error.lineno}: this is not JSON ({error.msg}).") from error
    if not isinstance(rows, list):
        raise BadInput(f"{file.path}: expected a list of objects with instruction, input and output.")
    for number, row in enumerate(rows, start=1):
        where = f"{file.path}, row {number}"
        if not isinstance(row, dict):
            raise BadInput(f"{where}: expected an object with instruction, input and output.")
        parts = [text_of(row, "instruction", where), text_of(row, "input", where) if row.get("input") else ""]
        question = "\n\n".join(part for part in parts if part)
        yield Dialogue(({"role": "user", "content": question},), text_of(row, "output", where))
