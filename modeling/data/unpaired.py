"""Single answers called good or bad, in trl's unpaired preference format: prompt, completion, label.

Also in the shape of https://github.com/hiyouga/LLaMA-Factory/tree/main/data: messages, whose last one is the answer,
and label.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from modeling.data.chat import Message
from modeling.data.jsonl import messages_of, read_rows
from modeling.errors import BadInput
from modeling.spec import FileRef


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One answer and what was said of it. An answer that is `cut` ended at the length limit and gets no end token."""

    prompt: tuple[Message, ...]
    answer: str
    good: bool
    weight: float = 1.0
    cut: bool = False


def read_verdicts(files: Sequence[FileRef]) -> Iterator[Verdict]:
    """Yield the rows of .jsonl files and .json lists. Raises: BadInput."""
    for file in files:
        for where, row in read_rows(file):
            prompt, answer = _conversation(row, where)
            good, weight = row.get("label"), row.get("weight", 1.0)
            if not isinstance(good, bool):
                raise BadInput(f"{where}: 'label' must be true or false.")
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
                raise BadInput(f"{where}: 'weight' must be a number that is not negative, not {weight!r}.")
            yield Verdict(tuple(prompt), answer, good, float(weight), cut=row.get("cut") is True)


def _conversation(row: dict[str, Any], where: str) -> tuple[list[Message], str]:
    if "messages" in row:
        messages = messages_of(row, "messages", where, last="assistant")
        prompt, completion = messages[:-1], messages[-1:]
    else:
        prompt = messages_of(row, "prompt", where, last="user")
        completion = messages_of(row, "completion", where, last="assistant")
    if not prompt:
        raise BadInput(f"{where}: 'messages' needs a question before the answer.")
    if len(completion) != 1:
        raise BadInput(f"{where}: 'completion' must be one message of the assistant; earlier turns belong to 'prompt'.")
    return prompt, str(completion[0]["content"])
