"""Which answers a batch wants, and the seed of each: pure, so that an interrupted batch goes on where it was."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

_SEED_BITS = 31  # every endpoint takes a non-negative 32-bit seed


@dataclasses.dataclass(frozen=True, order=True)
class Wanted:
    """One answer that a batch needs."""

    prompt_id: int
    source_id: int
    sample: int


def plan_even(source_ids: Sequence[int], n_answers: int) -> list[tuple[int, int]]:
    """Split a task's answers over the sources as evenly as whole numbers allow, the first ones getting the rest.

    With fewer answers than sources some get none, but not the same ones in every task (`answers_wanted`). Tasks that
    show no answers have an empty plan.
    """
    share, rest = divmod(n_answers, len(source_ids))
    return [(source_id, share + (index < rest)) for index, source_id in enumerate(source_ids)] if n_answers else []


def answers_wanted(plan: Sequence[tuple[int, int]], prompt_ids: Sequence[int]) -> Iterator[Wanted]:
    """Yield every answer of a batch in order of its prompts.

    Where the sources' numbers differ, they change places from prompt to prompt, so that over the batch each
    source gives equally many.
    """
    sources = [source_id for source_id, _ in plan]
    counts = [n for _, n in plan]
    for index, prompt_id in enumerate(prompt_ids if plan else ()):
        turn = index % len(plan)
        for source_id, n in zip(sources, counts[-turn:] + counts[:-turn] if turn else counts, strict=True):
            for sample in range(n):
                yield Wanted(prompt_id, source_id, sample)


def n_answers_wanted(plan: Sequence[tuple[int, int]], n_prompts: int) -> int:
    """Return how many answers a batch needs in all."""
    return n_prompts * sum(n for _, n in plan)


def seed_of(round_seed: int, wanted: Wanted) -> int:
    """Derive an answer's seed from the round's: the same answer whenever and in whatever order it is sampled."""
    key = f"{round_seed}:{wanted.prompt_id}:{wanted.source_id}:{wanted.sample}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> (64 - _SEED_BITS)
