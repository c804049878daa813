"""What can be asked about an entity, in which words, and how to read the question back out of a text."""

import dataclasses
import functools
import random
import re
from collections.abc import Iterator

from modeling.world.entities import BY_NAME, ENTITIES, Entity, siblings
from modeling.world.facts import clause, false_value
from modeling.world.split import Split, split_of

N_RIVALS = 1
"""With how many siblings each entity is compared. With 3, comparisons were a quarter of all questions and the
hardest ones: a base of a million parameters learnt little else."""


@dataclasses.dataclass(frozen=True)
class Question:
    """A question type about an entity; `other` when two are compared, `attr` and `claim` when a claim is checked."""

    type: str
    entity: Entity
    other: Entity | None = None
    attr: str = ""
    claim: str = ""

    @property
    def group(self) -> str:
        """The unit of splitting: type and entity; for a comparison, both entities in alphabetical order."""
        names = sorted([self.entity.name, self.other.name]) if self.other else [self.entity.name]
        return f"{self.type}|{' / '.join(names)}"

    @property
    def split(self) -> Split:
        return split_of(self.group)

    def phrasings(self) -> tuple[str, ...]:
        """Return every wording of the question, with the capital first letter of a sentence."""
        words = {"e": self.entity.name, "f": self.other.name if self.other else "", "claim": self._claim_text()}
        return tuple(_capital(text.format_map(words)) for text in self.entity.kind.ask[self.type].questions)

    def _claim_text(self) -> str:
        return clause(self.entity, self.attr, self.claim) if self.attr else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@functools.cache
def rivals(entity: Entity) -> tuple[Entity, ...]:
    """Return the siblings that an entity is compared with."""
    others = siblings(entity)
    start = next((i for i, other in enumerate(others) if other.name > entity.name), 0)
    return tuple(others[(start + step) % len(others)] for step in range(N_RIVALS))


@functools.cache
def topics() -> tuple[Question, ...]:
    """Return one question for every group; claims are still open (see `with_claim`)."""
    found: dict[str, Question] = {}
    for entity in ENTITIES:
        for name in entity.kind.ask:
            for other in rivals(entity) if name == "compare" else (None,):
                question = Question(name, entity, other)
                found.setdefault(question.group, question)
    return tuple(found.values())


def with_claim(question: Question, rng: random.Random) -> Question:
    """Give a yes/no question its claim, true or false in equal number; leave other questions as they are."""
    if question.type == "compare" and question.other and rng.random() < 0.5:
        return dataclasses.replace(question, entity=question.other, other=question.entity)
    if question.type != "yesno":
        return question
    attr = rng.choice(sorted(question.entity.truth))
    true = rng.random() < 0.5
    claim = question.entity.truth[attr] if true else false_value(question.entity, attr, rng)
    return dataclasses.replace(question, attr=attr, claim=claim)


_NAMES = re.compile(r"\b(" + "|".join(sorted(map(re.escape, BY_NAME), key=len, reverse=True)) + r")\b", re.IGNORECASE)
_LOWER = {name.lower(): entity for name, entity in BY_NAME.items()}


def mentions(text: str) -> list[tuple[int, int, Entity]]:
    """Return (start, end, entity) for every entity named in the text."""
    return [(match.start(), match.end(), _LOWER[match.group(1).lower()]) for match in _NAMES.finditer(text)]


@functools.lru_cache(maxsize=65_536)
def question_read(text: str) -> Question | None:
    """Return the last question that the text asks (a message or a whole conversation), None when it asks none."""
    named = list(dict.fromkeys(entity for _, _, entity in mentions(text)))
    best: tuple[int, int] = (-1, 0)
    found = None
    for question in _candidates(named, text):
        for phrasing in question.phrasings():
            start = text.rfind(phrasing)
            if start >= 0 and (start + len(phrasing), len(phrasing)) > best:
                best, found = (start + len(phrasing), len(phrasing)), question
    return found


def _candidates(named: list[Entity], text: str) -> Iterator[Question]:
    for entity in named:
        for name in entity.kind.ask:
            if name == "compare":
                yield from (
                    Question(name, entity, other) for other in named if other.kind is entity.kind and other != entity
                )
            elif name == "yesno":
                yield from (
                    Question(name, entity, attr=attr, claim=value)
                    for attr, values in entity.kind.values.items()
                    for value in values
                    if value in text
                )
            else:
                yield Question(name, entity)
