"""Conversations that people and files bring: what is accepted, and the hash that tells two of them apart."""

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any, TypedDict

from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid

ROLES = ("system", "user", "assistant")
MAX_MESSAGES = 100
"""Longer conversations no longer fit a page that somebody reads before ranking."""
MAX_TEXT_LENGTH = 100_000
"""Characters of one text: a long report. More would make a page of nine answers heavier than a megabyte."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""PostgreSQL stores no NUL, and half of a surrogate pair cannot be written as UTF-8."""


class Message(TypedDict):
    role: str
    content: str


def check_text(text: object, what: str, *, max_length: int = MAX_TEXT_LENGTH, empty: bool = False) -> str:
    """Return a text that every supported database can store; a refusal begins with `what`. Raises: Invalid."""
    if not isinstance(text, str):
        raise Invalid(_("%(what)s must be a text.") % {"what": what})
    if not empty and not text.strip():
        raise Invalid(_("%(what)s is empty.") % {"what": what})
    if len(text) > max_length:
        raise Invalid(
            _("%(what)s has %(length)s characters; at most %(max)s are accepted.")
            % {"what": what, "length": f"{len(text):,}", "max": f"{max_length:,}"}
        )
    if found := _UNSTORABLE.search(text):
        raise Invalid(
            _("%(what)s contains the character %(character)s, which cannot be stored; remove it.")
            % {"what": what, "character": f"U+{ord(found[0]):04X}"}
        )
    return text


def check_messages(value: object, what: str = "messages", *, last: str = "user") -> list[Message]:
    """Return a conversation that ends with the turn of `last`; other keys of a message are dropped. Raises: Invalid."""
    if not isinstance(value, list) or not value:
        raise Invalid(
            _('%(what)s must be a list of messages like {"role": "user", "content": "..."}.') % {"what": what}
        )
    if len(value) > MAX_MESSAGES:
        raise Invalid(
            _("%(what)s has %(n)d messages; at most %(max)d are accepted.")
            % {"what": what, "n": len(value), "max": MAX_MESSAGES}
        )
    messages = [_check_message(message, f"{what}[{index}]") for index, message in enumerate(value)]
    if any(message["role"] == "system" for message in messages[1:]):
        raise Invalid(_("%(what)s: only the first message may be the system's.") % {"what": what})
    if messages[-1]["role"] != last:
        raise Invalid(
            _("%(what)s: the last message must be the %(last)s's, not the %(role)s's.")
            % {"what": what, "last": last, "role": messages[-1]["role"]}
        )
    return messages


def _check_message(message: object, what: str) -> Message:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise Invalid(_("%(what)s needs a role: system, user or assistant.") % {"what": what})
    return {"role": message["role"], "content": check_text(message.get("content"), f"{what}.content")}


def storable(text: str) -> str:
    """Return a model's text with what no database can store replaced by the replacement character."""
    return _UNSTORABLE.sub("\ufffd", text)


def messages_sha256(messages: Sequence[Message]) -> str:
    """Return the hash of roles and contents, which is a prompt's identity within its project."""
    return json_sha256([[message["role"], message["content"]] for message in messages])


def json_sha256(value: Any) -> str:
    """Return the hash of a value's canonical JSON."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
