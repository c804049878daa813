"""Pairs of answers that a reward model was not trained on, and the file `heldout.jsonl` that keeps them."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOutPair:
    """What people and the model say about two answers to a prompt that the model has not seen."""

    prompt: str
    chosen: int
    rejected: int
    """Numbers of the two answers among the prompt's, by first appearance in the data."""
    ranking: str
    dimension: str
    fold: int
    difference: float
    """Score of the chosen answer less that of the other: the model's log-odds that chosen is better."""
    weight: float
    target: float
    """Probability that chosen is truly better, by what is known of the judgment."""
    tie: bool
    strength: int | None
    chosen_first: bool | None
    chosen_tokens: int
    rejected_tokens: int


def held_out_write(path: Path, pairs: Iterable[HeldOutPair]) -> None:
    """Write one line a pair."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(dataclasses.asdict(pair), ensure_ascii=False) + "\n" for pair in pairs)


def held_out_read(path: Path) -> list[HeldOutPair]:
    """Read what `held_out_write` wrote."""
    return [HeldOutPair(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
