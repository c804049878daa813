"""Questions whose answers can be checked, as JSON lines of prompts with an `answer`, or of {"question", "answer"}."""

import dataclasses
from collections.abc import Iterator

from modeling.data.chat import Message
from modeling.data.checkable import last_number
from modeling.data.jsonl import messages_of, read_objects, text_of
from modeling.errors import BadInput
from modeling.spec import FileRef


@dataclasses.dataclass(frozen=True)
class Question:
    """A conversation that waits for an answer, and a text that ends in the expected number."""

    messages: tuple[Message, ...]
    expected: str


def read_questions(file: FileRef) -> Iterator[Question]:
    """Yield the questions of a .jsonl file. Raises: BadInput, also for an expected answer without a number."""
    for where, row in read_objects(file):
        expected = text_of(row, "answer", where)
        if last_number(expected) is None:
            raise BadInput(f"{where}: 'answer' has no number that an answer could be compared with.")
        if "messages" in row:
            messages = messages_of(row, "messages", where, last="user")
        else:
            messages = [{"role": "user", "content": text_of(row, "question", where)}]
        yield Question(tuple(messages), expected)
