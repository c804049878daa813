"""A few answers of every snapshot of an online training: what `overoptimisation.py` draws its curve from.

All snapshots, and the SFT policy as step 0, answer the same prompts with the same seeds, so that they differ by less
than their answers do.
"""

from contextlib import nullcontext
from pathlib import Path

from modeling.errors import BadInput
from modeling.evaluation.comparison import Comparison
from modeling.evaluation.models import Models
from modeling.evaluation.parts import Part, Row, parts_cut
from modeling.evaluation.sides import Sides
from modeling.sampling.sampler import OnProgress
from modeling.spec import EvaluateSpec


class Trajectory:
    """A row for each snapshot and prompt, snapshot after snapshot; no rows where there are no snapshots."""

    def __init__(self, spec: EvaluateSpec, models: Models, comparison: Comparison) -> None:
        self.models, self.folder = models, Path(spec.snapshots)
        self.prompts = comparison.prompts[: spec.n_snapshot_prompts]
        self.steps = [0, *snapshot_steps(self.folder)] if spec.snapshots else []
        self.sides = Sides(
            models.sampler, comparison.sides.prompt_ids[: spec.n_snapshot_prompts],
            max_new_tokens=spec.max_new_tokens, seed=f"snapshots-{spec.seed}",
        )  # fmt: skip
        self.rows: list[Row] = [
            {"kind": "snapshot", "step": step, "prompt_id": prompt.id} for step in self.steps for prompt in self.prompts
        ]
        self.parts = [
            part
            for step in self.steps
            for part in parts_cut(
                "answer", f"{step}" if step else None, per_prompt=1, n_prompts=len(self.prompts),
                max_new_tokens=spec.max_new_tokens,
            )
        ]  # fmt: skip

    def measure(self, part: Part, on_progress: OnProgress) -> None:
        """Sample one snapshot's answers, and score them by the reward model and by the judge."""
        loaded = self.models.adapter_loaded(self.folder / part.adapter, part.adapter) if part.adapter else nullcontext()
        with loaded:
            answers = self.sides.sample(part, on_progress)
            records = answers.records(
                score=self.models.judged(answers, [prompt.text for prompt in self.prompts]),
                reward=self.models.rewards(answers.examples),
                log_ratio=self.models.log_ratios(answers.examples, part.adapter),
            )
        first = self.steps.index(int(part.adapter or 0)) * len(self.prompts)
        for position, (record,) in zip(part.prompts, records, strict=True):
            self.rows[first + position] |= record


def snapshot_steps(folder: Path) -> list[int]:
    """Return the steps of the snapshots in a folder. Raises: BadInput when there are none."""
    steps = sorted(int(item.name) for item in folder.glob("*") if item.is_dir() and item.name.isdecimal())
    if not steps:
        raise BadInput(f"{folder} holds no snapshots: train by `rloo`, `grpo` or `ppo` with snapshots above 0.")
    return steps
