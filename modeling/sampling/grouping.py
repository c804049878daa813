"""Which prompts run together: those of equal length, so that no position is padding. No tensors here."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence

MAX_ROWS = 128
"""Measured on two cores with the demo base: 64 to 128 rows are fastest, 256 leave the CPU's cache."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Rows of equal prompt length; `prompt_of_row` points into the distinct prompts, so each is read once."""

    prompts: list[tuple[int, ...]]
    rows: list[int]
    prompt_of_row: list[int]

    @property
    def prompt_length(self) -> int:
        return len(self.prompts[0])


def group_rows(prompts: Sequence[Sequence[int]], max_rows: int = MAX_ROWS) -> Iterator[Group]:
    """Split rows into groups of equal prompt length and about equal size, rows of one prompt side by side."""
    by_length: dict[int, dict[tuple[int, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
    for row, prompt in enumerate(prompts):
        by_length[len(prompt)][tuple(prompt)].append(row)
    for _, rows_of_prompt in sorted(by_length.items()):
        pairs = [(prompt, row) for prompt, rows in rows_of_prompt.items() for row in rows]
        n_groups = -(-len(pairs) // max_rows)
        size = -(-len(pairs) // n_groups)
        for start in range(0, len(pairs), size):
            part = pairs[start : start + size]
            index = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompt for prompt, _ in part))}
            yield Group(list(index), [row for _, row in part], [index[prompt] for prompt, _ in part])
