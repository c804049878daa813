"""Which answers an evaluation draws, cut into the parts between which it may be interrupted. No tensors here.

The cut follows from the specification and the number of prompts alone: a score may change in its last bit with the
answers beside it, so a resumed run must draw and score the same answers together as an undisturbed one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from modeling.spec import EvaluateSpec

POLICY, PREVIOUS = "policy", "previous"
"""Names of the sides that are adapters, and of these adapters."""
PART_TOKENS = 65_536
"""Tokens of answers in a part: seconds for a small base, minutes for a large one. Batches stay full: cut like this a
thousand prompts of the demo ran 148 rows at a time, uncut 172, and with a quarter of it 73."""


@dataclass(frozen=True)
class Part:
    """`per_prompt` answers of one side to some of the prompts, given by position."""

    side: str
    adapter: str | None
    per_prompt: int
    prompts: range

    @property
    def n_answers(self) -> int:
        return self.per_prompt * len(self.prompts)


def parts_plan(spec: EvaluateSpec, n_prompts: int) -> list[Part]:
    """Return all parts, side after side."""
    sides: list[tuple[str, str | None, int, int]] = [
        ("policy", POLICY, spec.samples_per_prompt, n_prompts),
        ("sft", None, spec.samples_per_prompt, n_prompts),
    ]
    if spec.previous:
        sides.append(("previous", PREVIOUS, spec.samples_per_prompt, n_prompts))
    if spec.reward:
        sides.append(("plain", None, 1, n_prompts))
    if spec.gold:
        sides.append(("oracle", None, spec.oracle_n - spec.samples_per_prompt, min(spec.n_oracle_prompts, n_prompts)))
    return [
        Part(side, adapter, per_prompt, prompts)
        for side, adapter, per_prompt, n in sides
        for prompts in _cut(n, n_at_once=max(1, PART_TOKENS // (per_prompt * spec.max_new_tokens)))
    ]


def _cut(n: int, *, n_at_once: int) -> Iterator[range]:
    return (range(n)[start : start + n_at_once] for start in range(0, n, n_at_once))
