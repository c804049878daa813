"""Read JSON lines or JSON lists from a person: every complaint names the file, the line or row, and what to change."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modeling.errors import BadInput
from modeling.spec import FileRef


def read_objects(file: FileRef) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (where, object) for each line; blank lines are skipped. Raises: BadInput."""
    for where, line in read_lines(file):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadInput(f"{where}: this is not JSON ({error.msg} at character {error.pos + 1}).") from error
        if not isinstance(value, dict):
            raise BadInput(f"{where}: expected an object, not {type(value).__name__}.")
        yield where, value


def read_rows(file: FileRef) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (where, object) for each line of a .jsonl file or each item of a .json list. Raises: BadInput."""
    if Path(file.path).suffix != ".json":
        yield from read_objects(file)
        return
    try:
        rows = json.loads("".join(line for _, line in read_lines(file)))
    except json.JSONDecodeError as error:
        raise BadInput(f"{file.path}, line {error.lineno}: this is not JSON ({error.msg}).") from error
    if not isinstance(rows, list):
        raise BadInput(f"{file.path}: expected a list of objects, not {type(rows).__name__}.")
    for number, row in enumerate(rows, start=1):
        where = f"{file.path}, row {number}"
        if not isinstance(row, dict):
            raise BadInput(f"{where}: expected an object, not {type(row).__name__}.")
        yield where, row


def read_lines(file: FileRef) -> Iterator[tuple[str, str]]:
    """Yield (where, line) of a UTF-8 file. Raises: BadInput."""
    try:
        with Path(file.path).open("rb") as stream:
            for number, raw in enumerate(stream, start=1):
                where = f"{file.path}, line {number}"
                try:
                    yield where, raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise BadInput(f"{where}: this is not UTF-8 (byte {error.start + 1}).") from error
    except OSError as error:
        raise BadInput(f"{file.path} cannot be read: {error.strerror}.") from error


def text_of(row: dict[str, Any], key: str, where: str) -> str:
    """Return a required text of a row. Raises: BadInput."""
    value = row.get(key)
    if not isinstance(value, str):
        raise BadInput(f"{where}: {key!r} must be a text.")
    return value


def messages_of(row: dict[str, Any], key: str, where: str, *, last: str | None = None) -> list[dict[str, Any]]:
    """Return a required list of messages, whose last one has the role `last` when that is given. Raises: BadInput."""
    messages = row.get(key)
    if not isinstance(messages, list) or not messages:
        raise BadInput(f'{where}: {key!r} must be a list of messages like {{"role": "user", "content": "..."}}.')
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("system", "user", "assistant"):
            raise BadInput(f"{where}: {key}[{index}] needs a role: system, user or assistant.")
        if not isinstance(message.get("content"), str):
            raise BadInput(f"{where}: {key}[{index}] needs a content that is a text.")
    if last is not None and messages[-1]["role"] != last:
        raise BadInput(f"{where}: the last of {key!r} must be of the {last}.")
    return [{"role": message["role"], "content": message["content"]} for message in messages]
