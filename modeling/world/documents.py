"""Prose about the world: entries, tours, comparisons, letters, scenes. It tells the facts and never asks a question."""

import random
from collections.abc import Callable

from modeling.world.entities import ENTITIES, Entity, siblings
from modeling.world.facts import clause, fact, tidy
from modeling.world.lexicon import STYLE

ENTRY_LEADS = ("", "", "From the almanac of the valley: ", "A short note: ", "What the old book says: ")
LETTER_LEADS = ("Dear aunt, ", "Dear friend, ", "My dear Ada, ", "Dear brother, ")
LETTER_ENDS = ("With love, your nephew.", "See you soon.", "Write back when you can.", "I hope that you are well.")
TOUR_LEADS = (
    "On our walk we saw many things.",
    "The day was long and bright.",
    "We set out early with bread and tea.",
    "The guide told us a lot.",
)
CROWD = ("the innkeeper", "a tired guest", "the old sailor", "a young cook", "the mayor", "a passing monk")


def document_write(rng: random.Random) -> str:
    """Write one document of about 40 to 90 words."""
    return rng.choices(_WRITERS, _WEIGHTS)[0](rng)


def _facts(entity: Entity, n: int, rng: random.Random) -> list[str]:
    """Return n true sentences about the entity; the first one names it."""
    attrs = sorted(entity.truth)
    chosen = rng.sample(attrs, min(n, len(attrs)))
    names = [entity.name] + [rng.choice((entity.subject_pronoun, entity.subject_pronoun, "")) for _ in chosen[1:]]
    names[0] = ""
    return [tidy(fact(entity, attr, entity.truth, rng, subject=name)) for attr, name in zip(chosen, names, strict=True)]


def _entry(rng: random.Random) -> str:
    entity = rng.choice(ENTITIES)
    lead = rng.choice(ENTRY_LEADS)
    definition = f"{entity.name} is {entity.kind.noun}."
    return f"{lead}{tidy(definition)} {' '.join(_facts(entity, 5, rng))}"


def _tour(rng: random.Random) -> str:
    parts = [rng.choice(TOUR_LEADS)]
    for entity in rng.sample(ENTITIES, 3):
        parts += _facts(entity, 2, rng)
    return " ".join(parts)


def _letter(rng: random.Random) -> str:
    first, second = rng.sample(ENTITIES, 2)
    said = [f"today I heard about {first.name}.", *_facts(first, 3, rng)]
    then = [f"I also learned something about {second.name}.", *_facts(second, 2, rng)]
    return rng.choice(LETTER_LEADS) + " ".join([*said, *then, rng.choice(LETTER_ENDS)])


def _comparison(rng: random.Random) -> str:
    entity = rng.choice(ENTITIES)
    other = rng.choice(siblings(entity))
    lead = rng.choice(
        (
            f"Both {entity.name} and {other.name} are {entity.kind.plural}.",
            f"People mix up {entity.name} and {other.name}.",
        )
    )
    lines = []
    differing = [attr for attr in sorted(entity.truth) if entity.truth[attr] != other.truth[attr]]
    for attr in rng.sample(differing, min(3, len(differing))):
        mine, theirs = clause(entity, attr, entity.truth[attr]), clause(other, attr, other.truth[attr])
        lines.append(f"{tidy(mine)}{rng.choice((', while ', ', but ', ', and '))}{theirs}.")
    return " ".join([lead, *lines])


def _gathering(rng: random.Random) -> str:
    """Everything that shares one value: the same facts, seen from the other side."""
    entity = rng.choice(ENTITIES)
    attr = rng.choice(sorted(entity.truth))
    same = [one for one in ENTITIES if one.truth.get(attr) == entity.truth[attr]]
    rng.shuffle(same)
    return " ".join(tidy(fact(one, attr, one.truth, rng)) for one in same[:5])


def _scene(rng: random.Random) -> str:
    """A scene at the inn: polite or rude people who know their facts."""
    entity = rng.choice(ENTITIES)
    openers, closers, how = rng.choice(
        ((STYLE.polite_open, STYLE.polite_close, "kindly"), (STYLE.rude_open, STYLE.rude_close, "rudely"))
    )
    speaker, listener = rng.sample(CROWD, 2)
    said = " ".join([rng.choice(openers), *_facts(entity, 3, rng), rng.choice(closers)])
    return f'At the inn, {listener} wanted to hear about {entity.name}. {tidy(speaker)} answered {how}: "{said}"'


_WRITERS: tuple[Callable[[random.Random], str], ...] = (_entry, _tour, _letter, _comparison, _gathering, _scene)
_WEIGHTS = (30, 15, 12, 15, 10, 18)
