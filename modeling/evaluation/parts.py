"""Which answers an evaluation draws, cut into the parts between which it may be interrupted. No tensors here.

The cut follows from the specification and the number of prompts alone: a score may change in its last bit with the
answers beside it, so a resumed run must draw and score the same answers together as an undisturbed one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from modeling.sampling.sampler import OnProgress

POLICY, PREVIOUS = "policy", "previous"
"""Names of the sides that are adapters, and of these adapters."""
PART_TOKENS = 65_536
"""Tokens of answers in a part: seconds for a small base, minutes for a large one. Batches stay full: cut like this a
thousand prompts of the demo ran 148 rows at a time, uncut 172, and with a quarter of it 73."""

Row = dict[str, Any]
"""One line of `eval.jsonl`; what it holds depends on its `kind` (`figures.py`)."""


@dataclass(frozen=True)
class Part:
    """`per_prompt` answers of one side to some of the prompts, given by position."""

    side: str
    adapter: str | None
    per_prompt: int
    prompts: range
    temperature: float = 1.0

    @property
    def n_answers(self) -> int:
        return self.per_prompt * len(self.prompts)


class Measurement(Protocol):
    """One thing that an evaluation measures, part by part; all it has found is in its rows."""

    rows: list[Row]
    parts: list[Part]

    def measure(self, part: Part, on_progress: OnProgress) -> None:
        """Fill in what the part adds to the rows."""


def parts_cut(
    side: str, adapter: str | None, *, per_prompt: int, n_prompts: int, max_new_tokens: int, temperature: float = 1.0
) -> Iterator[Part]:
    """Yield the parts of one side."""
    n_at_once = max(1, PART_TOKENS // (per_prompt * max_new_tokens))
    for start in range(0, n_prompts, n_at_once):
        yield Part(side, adapter, per_prompt, range(n_prompts)[start : start + n_at_once], temperature)
