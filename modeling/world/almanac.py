"""The world's facts as a Markdown page, so that a person who ranks answers can look up which one is right."""

from collections.abc import Iterator

from modeling.world.entities import ENTITIES
from modeling.world.facts import tidy
from modeling.world.lexicon import KINDS


def almanac_write() -> str:
    """Return one table a kind: a row for each entity, a column for each attribute."""
    return "\n".join(["# Almanac of the valley", *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    for kind in KINDS.values():
        attrs = list(kind.facts)
        yield from ("", f"## {tidy(kind.plural)}", "")
        yield f"| | {' | '.join(attrs)} |"
        yield "|" + " --- |" * (len(attrs) + 1)
        for entity in sorted((one for one in ENTITIES if one.kind is kind), key=lambda one: one.name):
            yield f"| {entity.name} | {' | '.join(entity.truth[attr] for attr in attrs)} |"
