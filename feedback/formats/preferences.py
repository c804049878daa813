"""The shapes in which preference pairs come.

Source: https://huggingface.co/docs/trl/dataset_formats (conversational and standard, explicit and implicit prompt), and
the ShareGPT shape of https://github.com/hiyouga/LLaMA-Factory/tree/main/data (conversations, chosen, rejected).
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid, UploadRefused
from feedback.domain.messages import Message, check_messages, check_text
from feedback.formats.reading import read_rows

_SHAREGPT_ROLES = {"human": "user", "gpt": "assistant", "system": "system", "user": "user", "assistant": "assistant"}


@dataclasses.dataclass(frozen=True)
class PreferenceRow:
    line: int
    messages: list[Message]
    chosen: str
    rejected: str


def read_preferences(file: BinaryIO, filename: str) -> Iterator[PreferenceRow]:
    """Yield the pairs of a file. Raises: UploadRefused."""
    for line, value in read_rows(file, filename):
        try:
            yield _pair_of(line, value)
        except UploadRefused:
            raise
        except Invalid as error:
            raise UploadRefused(error.message, line) from error


def _pair_of(line: int, row: Any) -> PreferenceRow:
    if not isinstance(row, dict) or "chosen" not in row or "rejected" not in row:
        raise Invalid(_("expected an object with prompt, chosen and rejected."))
    if "conversations" in row:
        prompt = _from_sharegpt(row["conversations"], "conversations")
        chosen, rejected = (_from_sharegpt([row[side]], side) for side in ("chosen", "rejected"))
    else:
        prompt = _turns(row.get("prompt", []), "prompt", role="user")
        chosen, rejected = (_turns(row[side], side, role="assistant") for side in ("chosen", "rejected"))
        if not prompt:
            prompt, chosen, rejected = _split_common(chosen, rejected)
    return PreferenceRow(
        line, check_messages(prompt, "prompt"), _answer_of(chosen, "chosen"), _answer_of(rejected, "rejected")
    )


def _turns(value: Any, what: str, *, role: str) -> list[Any]:
    if isinstance(value, str):
        return [{"role": role, "content": check_text(value, what)}]
    if not isinstance(value, list):
        raise Invalid(_("%(what)s must be a text or a list of messages.") % {"what": what})
    return value


def _from_sharegpt(turns: Any, what: str) -> list[Any]:
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise Invalid(_('%(what)s must hold turns like {"from": "human", "value": "..."}.') % {"what": what})
    return [{"role": _role_of(turn.get("from"), what), "content": turn.get("value")} for turn in turns]


def _role_of(name: Any, what: str) -> str:
    if not isinstance(name, str) or name not in _SHAREGPT_ROLES:
        raise Invalid(
            _("%(what)s has a turn from %(name)r; known are %(known)s.")
            % {"what": what, "name": name, "known": ", ".join(_SHAREGPT_ROLES)}
        )
    return _SHAREGPT_ROLES[name]


def _split_common(chosen: list[Any], rejected: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """Return the common turns at the beginning as the prompt, and what follows as the answers."""
    if chosen[:-1] != rejected[:-1]:
        raise Invalid(_("chosen and rejected must be answers to the same conversation."))
    return chosen[:-1], chosen[-1:], rejected[-1:]


def _answer_of(turns: list[Any], what: str) -> str:
    messages = check_messages(turns, what, last="assistant")
    if len(messages) != 1:
        raise Invalid(
            _("%(what)s must be one message of the assistant; earlier turns belong to the prompt.") % {"what": what}
        )
    return messages[0]["content"]
