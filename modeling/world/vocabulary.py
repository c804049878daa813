"""Which words the world knows, and which word may follow which: enough to tell English of this world from broken text.

Made by filling every sentence of the tables once. Knows nothing of truth: false facts are as fluent as true ones.
"""

import functools
import itertools
import re
import string
from collections.abc import Iterable, Iterator

from modeling.world.answers import NO, ORDER, YES
from modeling.world.entities import ENTITIES, Entity
from modeling.world.facts import fill
from modeling.world.lexicon import STYLE

_WORD = re.compile(r"[a-z]+|[.,!?]|[^\sa-z.,!?]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def words_of(text: str) -> list[str]:
    """Return lower-case words and punctuation marks; anything else stays a token of its own, which no table knows."""
    return _WORD.findall(text.lower())


def sentences_of(text: str) -> list[str]:
    """Split at final punctuation followed by space."""
    return [part for part in _SENTENCE_END.split(text.strip()) if part]


@functools.cache
def known_words() -> frozenset[str]:
    """Return every word of the world's sentences, in lower case."""
    return frozenset(word for pair in known_pairs() for word in pair)


@functools.cache
def known_pairs() -> frozenset[tuple[str, str]]:
    """Return every pair of neighbouring words inside the world's sentences."""
    pairs: set[tuple[str, str]] = set()
    for sentence in set(_sentences()):
        pairs.update(itertools.pairwise(words_of(sentence)))
    pairs.update(_joints())
    return frozenset(pairs)


def _sentences() -> Iterator[str]:
    yield from (*STYLE.polite_open, *STYLE.polite_close, *STYLE.rude_open, *STYLE.rude_close, *NO)
    for entity in ENTITIES:
        kind = entity.kind
        for sentence in (*STYLE.vague, *STYLE.opinions, f"{{s}} is {kind.noun}, and {{it}}"):
            yield fill(sentence, entity, {})
        for subject in ("", entity.subject_pronoun):
            yield from _filled(entity, itertools.chain(*kind.facts.values()), subject)
        yield from _filled(entity, itertools.chain(*(ask.core for ask in kind.ask.values())), "")


def _filled(entity: Entity, templates: Iterable[str], subject: str) -> Iterator[str]:
    for template in templates:
        slots = [slot for _, slot, _, _ in string.Formatter().parse(template) if slot in entity.kind.values]
        for values in itertools.product(*(entity.kind.values[slot] for slot in slots)):
            yield fill(template, entity, dict(zip(slots, values, strict=True)), subject)


def _joints() -> Iterator[tuple[str, str]]:
    """Pairs that arise where clauses are joined: after a comma, a conjunction or an ordinal."""
    starts = {words_of(text)[0] for entity in ENTITIES for text in _starts(entity)}
    for lead in ("while", "but", "and", ","):
        yield from ((lead, start) for start in starts)
    yield from ((",", join) for join in ("while", "but", "and"))
    for phrase in (*YES, *itertools.chain(*ORDER), "No,", "First,"):
        yield from itertools.pairwise(words_of(phrase + ("," if phrase in YES else "")))
    ends = {words_of(value)[-1] for entity in ENTITIES for values in entity.kind.values.values() for value in values}
    yield from ((end, ",") for end in ends)


def _starts(entity: Entity) -> Iterator[str]:
    for templates in entity.kind.facts.values():
        yield from (fill(text, entity, entity.truth) for text in templates)
        yield from (fill(text, entity, entity.truth, entity.subject_pronoun) for text in templates)
