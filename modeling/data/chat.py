"""Messages to token ids, the one way in training, sampling and serving.

What a person wrote never becomes a control token: a message that spells one is encoded as ordinary text, while the
template around it keeps its own. Knows no particular template; ours is in `modeling/training/tokenizer.py`.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerFast

from modeling.errors import BadInput

Message = dict[str, Any]
"""{"role": "system" | "user" | "assistant", "content": text}"""

ROLES = ("system", "user", "assistant")


def encode_text(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Return the ids of a text in which nothing is a control token."""
    ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    return ids


def encode_prompt(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> list[int]:
    """Return the ids of a conversation up to where the assistant begins to write."""
    return _encode_conversation(tokenizer, messages, add_generation_prompt=True)


def encode_answer(tokenizer: PreTrainedTokenizerFast, text: str, *, cut: bool) -> list[int]:
    """Return the ids of an answer, with the end-of-turn token unless it was cut at the length limit."""
    ids = encode_text(tokenizer, text)
    return ids if cut else [*ids, int(tokenizer.eos_token_id)]


def encode_dialogue(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message]) -> list[int]:
    """Return the ids of a whole conversation, as pretraining sees it."""
    return _encode_conversation(tokenizer, messages, add_generation_prompt=False)


def encode_dialogues(tokenizer: PreTrainedTokenizerFast, dialogues: Sequence[Sequence[Message]]) -> list[list[int]]:
    """Return what `encode_dialogue` returns for each, several times as fast."""
    controls = list(tokenizer.get_added_vocab())
    texts = [
        "" if _spells(messages, controls) else _render(tokenizer, messages, add_generation_prompt=False)
        for messages in dialogues
    ]
    encoded: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    pairs = zip(encoded, dialogues, strict=True)
    return [ids or encode_dialogue(tokenizer, messages) for ids, messages in pairs]


def _spells(messages: Sequence[Message], controls: Sequence[str]) -> bool:
    return any(control in message["content"] for message in messages for control in controls)


def _encode_conversation(
    tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], *, add_generation_prompt: bool
) -> list[int]:
    contents = [str(message["content"]) for message in messages]
    if not _spells(messages, list(tokenizer.get_added_vocab())):
        return _encode_markup(tokenizer, _render(tokenizer, messages, add_generation_prompt=add_generation_prompt))
    # Render with stand-ins for the contents, then encode markup and contents each in its own way.
    marks = [secrets.token_hex(16) for _ in contents]
    stand_ins = [{**message, "content": mark} for message, mark in zip(messages, marks, strict=True)]
    rest = _render(tokenizer, stand_ins, add_generation_prompt=add_generation_prompt)
    ids: list[int] = []
    for mark, content in zip(marks, contents, strict=True):
        before, found, rest = rest.partition(mark)
        if not found:
            raise BadInput(
                "The chat template drops or reorders messages; a message that spells a control token cannot be encoded."
            )
        ids += _encode_markup(tokenizer, before) + encode_text(tokenizer, content)
    return ids + _encode_markup(tokenizer, rest)


def _render(tokenizer: PreTrainedTokenizerFast, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    return str(
        tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=add_generation_prompt)
    )


def _encode_markup(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
