"""How long the rendering of one text may take, however it was written."""

import time
from collections.abc import MutableMapping
from typing import Any

BUDGET_S = 0.08
"""Of processor time. Some texts cost the square of their length: these are shown as they were written."""


class TooSlow(Exception):  # noqa: N818 - it reads as what happened
    """A text has used up its time."""


def start() -> float:
    """Return when rendering that begins now must have ended, on this thread's own clock."""
    return time.thread_time() + BUDGET_S


def check(env: MutableMapping[str, Any]) -> None:
    """Raises: TooSlow, after `env["ends_at"]`."""
    if time.thread_time() > env["ends_at"]:
        raise TooSlow
