"""What a person says about the answers on the screen, in one shape for every kind of task.

Everything is by shown position: 0 is the answer under letter A.
"""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A judgment as it was given, before it is checked against the protocol and put into the order of items."""

    ranks: tuple[int | None, ...] = ()
    """1 is the best, equal ranks are ties, None has no rank; empty where no order was asked for."""
    cannot_judge: tuple[int, ...] = ()
    """Positions about which the person could say nothing; they have no rank and no ratings."""
    all_bad: bool = False
    strength: int | None = None
    """Of two answers: how much better the better one is; `ranks` say which."""
    ratings: Mapping[str, tuple[int | None, ...]] = dataclasses.field(default_factory=dict)
    flags: tuple[tuple[int, str], ...] = ()
    """(position, name)"""
    edited_position: int | None = None
    """Which answer `edited_answer` improves; None when it was written from nothing."""
    edited_answer: str = ""
