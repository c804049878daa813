"""Who and what exists in the demo world, and what is true of it. The same in every corpus, whatever its seed."""

import dataclasses
import functools
import random

from modeling.world.lexicon import KINDS, Kind


@dataclasses.dataclass(frozen=True, eq=False)
class Entity:
    """A thing of the world; `truth` holds one value for each attribute of its kind."""

    name: str
    kind: Kind
    truth: dict[str, str]

    @property
    def subject_pronoun(self) -> str:
        """She, he or it, in lower case."""
        if self.kind.name != "person":
            return "it"
        return "she" if self.name in self.kind.she else "he"

    @property
    def object_pronoun(self) -> str:
        """Her, him or it."""
        return {"it": "it", "she": "her", "he": "him"}[self.subject_pronoun]


def _entities_of(kind: Kind) -> list[Entity]:
    """Deal the values out evenly, so that guessing the most common value does not pay."""
    deal = {}
    for attr, values in sorted(kind.values.items()):
        rng = random.Random(f"{kind.name}.{attr}")
        cards = [values[i % len(values)] for i in range(len(kind.names))]
        rng.shuffle(cards)
        deal[attr] = cards
    return [Entity(name, kind, {attr: deal[attr][i] for attr in deal}) for i, name in enumerate(kind.names)]


ENTITIES: tuple[Entity, ...] = tuple(entity for kind in KINDS.values() for entity in _entities_of(kind))
BY_NAME: dict[str, Entity] = {entity.name: entity for entity in ENTITIES}


@functools.cache
def siblings(entity: Entity) -> tuple[Entity, ...]:
    """Return the other entities of the same kind."""
    return tuple(other for other in ENTITIES if other.kind is entity.kind and other is not entity)
