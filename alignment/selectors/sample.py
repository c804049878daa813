"""Answers of the policy and of SFT to the same held-out prompt, from an evaluation's `eval.jsonl`."""

import dataclasses
import json
from itertools import islice
from typing import Any

from alignment.models import Evaluation
from alignment.selectors.rundir import artifact_path

N_SAMPLES = 6
"""Pairs on a page: enough for an impression; the file has them all."""


@dataclasses.dataclass(frozen=True)
class SampleSide:
    text: str
    score: float
    cut: bool


@dataclasses.dataclass(frozen=True)
class SamplePair:
    """The first answer of either side, as they were drawn: nobody picked the better ones."""

    messages: list[dict[str, str]]
    policy: SampleSide
    sft: SampleSide

    @property
    def is_win(self) -> bool:
        return self.policy.score > self.sft.score

    @property
    def is_loss(self) -> bool:
        return self.policy.score < self.sft.score


def sample_pairs(evaluation: Evaluation, n: int = N_SAMPLES) -> list[SamplePair]:
    """Return the first pairs of the file; none when it is gone."""
    try:
        with artifact_path(evaluation.run, "eval.jsonl").open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in islice(file, n)]
    except (FileNotFoundError, KeyError):
        return []  # an evaluation that was moved away or recorded without its file still has its figures
    return [SamplePair(row["messages"], _side(row["policy"][0]), _side(row["sft"][0])) for row in rows]


def _side(answer: dict[str, Any]) -> SampleSide:
    return SampleSide(text=answer["text"], score=answer["score"], cut=bool(answer["cut"]))
