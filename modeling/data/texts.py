"""Documents to pretrain on: plain text files, or JSON lines with a text, a conversation or a demonstration each."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from modeling.data.chat import Message
from modeling.data.dialogues import dialogue_of
from modeling.data.jsonl import messages_of, read_lines, read_objects, text_of
from modeling.errors import BadInput
from modeling.spec import FileRef


@dataclasses.dataclass(frozen=True)
class Document:
    """One document: a text, or the messages of a conversation."""

    text: str = ""
    messages: tuple[Message, ...] = ()


def read_documents(file: FileRef) -> Iterator[Document]:
    """Yield a file's documents: a .txt file is one, every line of a .jsonl file is one. Raises: BadInput."""
    suffix = Path(file.path).suffix
    if suffix == ".txt":
        yield Document(text="".join(line for _, line in read_lines(file)))
        return
    if suffix != ".jsonl":
        raise BadInput(f"{file.path}: texts are .txt or .jsonl files.")
    for where, row in read_objects(file):
        if "messages" in row:
            yield Document(messages=tuple(messages_of(row, "messages", where)))
        elif "completion" in row:
            yield Document(messages=dialogue_of(row, where).messages)
        else:
            yield Document(text=text_of(row, "text", where))


def read_plain_texts(files: Sequence[FileRef]) -> Iterator[str]:
    """Yield every text and every message's content, without markup: what a tokenizer is trained on."""
    for file in files:
        for document in read_documents(file):
            if document.messages:
                yield from (message["content"] for message in document.messages)
            else:
                yield document.text
