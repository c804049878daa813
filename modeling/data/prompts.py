"""Prompts to sample answers to."""

import dataclasses
from collections.abc import Iterator

from modeling.data.chat import Message
from modeling.data.jsonl import messages_of, read_objects, text_of
from modeling.errors import BadInput
from modeling.spec import FileRef


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A conversation that waits for an answer. Prompts of one group never stand on both sides of a split."""

    id: str
    messages: tuple[Message, ...]
    group: str
    split: str
    tags: tuple[str, ...]
    answer: str = ""
    """The expected answer, where there is one that can be checked."""

    @property
    def text(self) -> str:
        """The last message's text: what a gold score is called with."""
        return str(self.messages[-1]["content"])


def prompts_train_split(file: FileRef) -> list[Prompt]:
    """Return the prompts to train on. Raises: BadInput when one of them is held out."""
    prompts = list(read_prompts(file))
    if any(prompt.split == "heldout" for prompt in prompts):
        raise BadInput(f"{file.path} has prompts that are held out for evaluation: nothing may train on them.")
    return prompts


def read_prompts(file: FileRef) -> Iterator[Prompt]:
    """Yield the prompts of a .jsonl file. Raises: BadInput."""
    for where, row in read_objects(file):
        id_ = row.get("id")
        if not isinstance(id_, (str, int)) or id_ == "":
            raise BadInput(f"{where}: 'id' must be a text or a number.")
        tags = row.get("tags") or []
        if not isinstance(tags, list):
            raise BadInput(f"{where}: 'tags' must be a list.")
        yield Prompt(
            id=str(id_),
            messages=tuple(messages_of(row, "messages", where, last="user")),
            group=text_of(row, "group", where) if row.get("group") is not None else str(id_),
            split=text_of(row, "split", where) if row.get("split") is not None else "",
            tags=tuple(map(str, tags)),
            answer=text_of(row, "answer", where) if row.get("answer") is not None else "",
        )
