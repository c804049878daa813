"""Sentences that state facts, true or false, about an entity."""

import random
from collections.abc import Mapping

from modeling.world.entities import Entity


def tidy(sentence: str) -> str:
    """Return the sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def fill(template: str, entity: Entity, values: Mapping[str, str], subject: str = "") -> str:
    """Fill a template about `entity` with attribute values; it is named unless a pronoun is given as subject."""
    words = {
        "e": entity.name,
        "s": subject or entity.name,
        "it": entity.subject_pronoun,
        "o": entity.object_pronoun if subject else entity.name,
    }
    return template.format_map({**values, **words})


def false_value(entity: Entity, attr: str, rng: random.Random) -> str:
    """Return a value of the attribute that is not the entity's."""
    return rng.choice([value for value in entity.kind.values[attr] if value != entity.truth[attr]])


def some_values(entity: Entity, rng: random.Random, *, p_false: float) -> dict[str, str]:
    """Return a value for each attribute, each false with the given probability."""
    return {
        attr: false_value(entity, attr, rng) if rng.random() < p_false else truth
        for attr, truth in entity.truth.items()
    }


def fact(entity: Entity, attr: str, values: Mapping[str, str], rng: random.Random, *, subject: str = "") -> str:
    """Return one sentence, without its capital, that states one attribute.

    Without a pronoun for the subject the sentence names the entity, so that it can stand alone.
    """
    templates = entity.kind.facts[attr]
    if not subject:
        templates = tuple(text for text in templates if any(slot in text for slot in ("{e}", "{s}", "{o}")))
    return fill(rng.choice(templates), entity, values, subject)


def clause(entity: Entity, attr: str, value: str) -> str:
    """Return the plainest statement of one attribute, without capital and full stop."""
    return fill(entity.kind.facts[attr][0], entity, {attr: value}).removesuffix(".")
