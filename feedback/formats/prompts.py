"""The shapes in which prompts come."""

import dataclasses
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid, UploadRefused
from feedback.domain.messages import Message, check_messages, check_text
from feedback.domain.states import Split
from feedback.formats.reading import read_rows

MAX_TAGS = 50
"""Tags are for filtering by eye."""
MAX_NAME_LENGTH = 200
"""Of an id or a group: what the database's columns hold."""


@dataclasses.dataclass(frozen=True)
class PromptRow:
    line: int
    messages: list[Message]
    external_id: str
    group: str | None
    split: Split | None
    tags: list[str]


def read_prompts(file: BinaryIO, filename: str) -> Iterator[PromptRow]:
    """Yield the prompts of a file. Raises: UploadRefused."""
    for line, value in read_rows(file, filename):
        try:
            yield _prompt_of(line, value)
        except UploadRefused:
            raise
        except Invalid as error:
            raise UploadRefused(error.message, line) from error


def _prompt_of(line: int, value: Any) -> PromptRow:
    row = {"prompt": value} if isinstance(value, str) else value
    if not isinstance(row, dict):
        raise Invalid(_("expected an object with a prompt, or a text."))
    split = row.get("split") or None
    if split is not None and split not in Split.values:
        raise Invalid(_("split must be one of %(known)s.") % {"known": ", ".join(Split.values)})
    return PromptRow(
        line=line,
        messages=_messages_of(row),
        external_id=_name(row.get("id"), "id") or "",
        group=_name(row.get("group"), "group"),
        split=None if split is None else Split(split),
        tags=_tags_of(row.get("tags") or []),
    )


def _messages_of(row: dict[str, Any]) -> list[Message]:
    """Read chat messages, trl's `prompt`, Alpaca's `instruction` with an optional `input`, or a `question`.

    Source: https://github.com/tatsu-lab/stanford_alpaca, https://huggingface.co/docs/trl/dataset_formats
    """
    if "messages" in row:
        return check_messages(row["messages"])
    if isinstance(row.get("prompt"), list):
        return check_messages(row["prompt"], "prompt")
    for field in ("prompt", "instruction", "question"):
        if field in row:
            text = check_text(row[field], field)
            if field == "instruction" and row.get("input"):
                text = f"{text}\n\n{check_text(row['input'], 'input')}"
            return [{"role": "user", "content": text}]
    raise Invalid(_("there is no prompt; give messages, prompt, instruction (with input) or question."))


def _name(value: Any, what: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return check_text(value, what, max_length=MAX_NAME_LENGTH)


def _tags_of(value: Any) -> list[str]:
    tags = value.split() if isinstance(value, str) else value  # a CSV cell holds them separated by spaces
    if not isinstance(tags, list) or len(tags) > MAX_TAGS:
        raise Invalid(_("tags must be a list of at most %(max)d texts.") % {"max": MAX_TAGS})
    return [check_text(tag, _("a tag"), max_length=MAX_NAME_LENGTH) for tag in tags]
