"""The word tables of the demo world, read from `kinds/*.toml`: one file a kind, one for what is shared, one for style.

Adding a kind of thing to the world means adding a file. This module knows the tables' shape, not what they mean.
"""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "kinds"
KIND_NAMES = ("animal", "festival", "food", "landmark", "person", "plant", "tool", "town")


@dataclasses.dataclass(frozen=True)
class Ask:
    """One question type of one kind: how it is asked and, unless it is answered by facts, how it is answered."""

    questions: tuple[str, ...]
    attrs: tuple[str, ...] = ()
    """The attributes that a right answer must state."""
    core: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Kind:
    """A kind of thing: its names, what can be said of it and what can be asked about it."""

    name: str
    noun: str
    plural: str
    like: str
    names: tuple[str, ...]
    she: frozenset[str]
    values: dict[str, tuple[str, ...]]
    facts: dict[str, tuple[str, ...]]
    """Sentences that state one attribute; {s} is the subject, name or pronoun."""
    ask: dict[str, Ask]


@dataclasses.dataclass(frozen=True)
class Style:
    """How answers, users and instructions sound."""

    polite_open: tuple[str, ...]
    polite_close: tuple[str, ...]
    rude_open: tuple[str, ...]
    rude_close: tuple[str, ...]
    vague: tuple[str, ...]
    opinions: tuple[str, ...]
    systems: tuple[str, ...]
    greetings: tuple[str, ...]
    follow_ups: tuple[str, ...]


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _tuples(table: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in table.items()}


def _kind(name: str, shared: dict[str, Any]) -> Kind:
    table = _read(name)
    values = {**shared["values"], **table["values"]}
    facts = _tuples(table["facts"])
    asks = {**table["ask"], **shared["ask"]}
    return Kind(
        name=name,
        noun=table["noun"],
        plural=table["plural"],
        like=table["like"],
        names=tuple(table["names"]),
        she=frozenset(table.get("she", ())),
        values={attr: tuple(values[attr]) for attr in facts},
        facts=facts,
        ask={key: Ask(**_tuples(ask)) for key, ask in sorted(asks.items())},
    )


_SHARED = _read("shared")
KINDS: dict[str, Kind] = {name: _kind(name, _SHARED) for name in KIND_NAMES}
STYLE = Style(**_tuples(_read("style")))
