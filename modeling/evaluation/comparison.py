"""The policy's answers to held-out prompts beside those of SFT and of the last deployed policy, judged and rewarded.

Further SFT answers are the opponent of best-of-n (`plain`) and the field that a gold judge itself would choose from
(`oracle`).
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from modeling.data.fitting import prompts_encode
from modeling.data.prompts import Prompt, read_prompts
from modeling.errors import BadInput
from modeling.evaluation.models import Models
from modeling.evaluation.parts import POLICY, PREVIOUS, Part, Row, parts_cut
from modeling.evaluation.sides import Answers, Sides
from modeling.sampling.sampler import OnProgress
from modeling.spec import EvaluateSpec

REWARDED = (POLICY, "sft", PREVIOUS)
"""Sides whose best answer by the reward model plays against one plain SFT answer."""


class Comparison:
    """A row for each prompt, with the answers of every side."""

    def __init__(self, spec: EvaluateSpec, models: Models) -> None:
        prompts, prompt_ids, self.n_skipped = prompts_encode(
            _choose_prompts(list(read_prompts(spec.prompts)), spec), models.tokenizer, context=models.context,
            max_new_tokens=spec.max_new_tokens,
        )  # fmt: skip
        self.models, self.prompts = models, prompts
        self.sides = Sides(models.sampler, prompt_ids, max_new_tokens=spec.max_new_tokens, seed=f"evaluate-{spec.seed}")
        self.rows: list[Row] = [
            {"kind": "prompt", "prompt_id": prompt.id, "messages": list(prompt.messages)} for prompt in prompts
        ]
        self.parts = list(_parts(spec, len(prompts)))

    def measure(self, part: Part, on_progress: OnProgress) -> None:
        """Sample and score the part's answers."""
        answers = self.sides.sample(part, on_progress)
        for position, records in zip(part.prompts, self._records(part, answers), strict=True):
            self.rows[position][part.side] = records[0] if part.side == "plain" else records

    def _records(self, part: Part, answers: Answers) -> list[list[dict[str, Any]]]:
        columns = {"score": self.models.judged(answers, [prompt.text for prompt in self.prompts])}
        if part.side == POLICY:
            columns["log_ratio"] = self.models.log_ratios(answers.examples, POLICY)
        if part.side in REWARDED and self.models.reward:
            columns["reward"] = self.models.rewards(answers.examples)
        return answers.records(**columns)


def _parts(spec: EvaluateSpec, n_prompts: int) -> Iterator[Part]:
    sides: list[tuple[str, str | None, int, int]] = [
        (POLICY, POLICY, spec.samples_per_prompt, n_prompts),
        ("sft", None, spec.samples_per_prompt, n_prompts),
    ]
    if spec.previous:
        sides.append((PREVIOUS, PREVIOUS, spec.samples_per_prompt, n_prompts))
    if spec.reward:
        sides.append(("plain", None, 1, n_prompts))
    if spec.gold:
        sides.append(("oracle", None, spec.oracle_n - spec.samples_per_prompt, min(spec.n_oracle_prompts, n_prompts)))
    for side, adapter, per_prompt, n in sides:
        yield from parts_cut(
            side, adapter, per_prompt=per_prompt, n_prompts=n, max_new_tokens=spec.max_new_tokens
        )  # fmt: skip


def _choose_prompts(prompts: Sequence[Prompt], spec: EvaluateSpec) -> list[Prompt]:
    """Return `n_prompts` of the prompts in a seeded order. Raises: BadInput when none are left unseen by training."""
    if not prompts:
        raise BadInput(f"{spec.prompts.path} holds no prompts: evaluation needs at least one.")
    if any(prompt.split in ("ranked", "pool") for prompt in prompts):
        raise BadInput(f"{spec.prompts.path} has prompts that are not held out: training may have seen them.")
    chosen = list(prompts)
    random.Random(f"evaluate-{spec.seed}-prompts").shuffle(chosen)  # noqa: S311 - a seeded shuffle, not a secret
    return chosen[: spec.n_prompts]
