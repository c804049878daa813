"""Stage `evaluate`: is the policy better than the SFT base and than the last deployed policy, and at what price.

What is measured stands in modules of its own: answers compared and judged (`comparison.py`), questions with checkable
answers (`examination.py`), texts forgotten (`forgetting.py`), and the way of an online training (`trajectory.py`). All
of it goes to `eval.jsonl`, and the figures are computed from the rows of that file alone (`figures.py`), so
`python -m modeling.evaluation.recompute eval.jsonl` prints the same ones.

A checkpoint is the rows so far and the number of finished parts; a resumed run ends in the same bytes.
"""

import json
import time
from pathlib import Path
from typing import Any

from modeling.device import pick_device
from modeling.errors import Stopped
from modeling.evaluation.comparison import Comparison
from modeling.evaluation.examination import Examination
from modeling.evaluation.figures import evaluation_figures
from modeling.evaluation.forgetting import Forgetting
from modeling.evaluation.models import Models
from modeling.evaluation.parts import Measurement, Part, Row
from modeling.evaluation.trajectory import Trajectory
from modeling.rundir import RunDir
from modeling.sampling.sampler import OnProgress
from modeling.spec import EvaluateSpec

STATE = "evaluation.json"
N_SHOWN = 3
"""Prompts whose answers are shown side by side to the person who watches."""


def run(spec: EvaluateSpec, run: RunDir) -> dict[str, Any]:
    """Compare, write `eval.jsonl` and return the figures. Raises: BadInput, Stopped."""
    models = Models(spec, pick_device())
    comparison, examination = Comparison(spec, models), Examination(spec, models)
    skipped = {"n_prompts_skipped": comparison.n_skipped}
    if spec.questions:
        skipped["n_questions_skipped"] = examination.n_skipped
    for name, n_skipped in skipped.items():
        if n_skipped:
            kind = name.removeprefix("n_").removesuffix("_skipped")
            run.message(f"Skipped {n_skipped} {kind} that leave no room for an answer.")
    measurements: list[Measurement] = [
        comparison, examination, Forgetting(spec, models), Trajectory(spec, models, comparison),
    ]  # fmt: skip
    Evaluation(spec, run, measurements).measure()
    rows = [row for measurement in measurements for row in measurement.rows]
    with run.artifact("eval.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    for row in rows[: min(N_SHOWN, len(comparison.rows))]:
        question = row["messages"][-1]["content"]
        run.message(f"{question!r}: SFT {row['sft'][0]['text']!r}, policy {row['policy'][0]['text']!r}")
    return {"judge": spec.gold or "held-out reward model", **skipped} | evaluation_figures(
        rows, n_bootstrap=spec.n_bootstrap
    )


class Evaluation:
    """Goes through the parts of all measurements, with checkpoints between them."""

    def __init__(self, spec: EvaluateSpec, run: RunDir, measurements: list[Measurement]) -> None:
        self.spec, self.run, self.measurements = spec, run, measurements
        self.parts: list[tuple[Measurement, Part]] = [(item, part) for item in measurements for part in item.parts]
        self.saved_at = time.monotonic()

    def measure(self) -> None:
        """Measure every part that no earlier attempt has finished. Raises: Stopped."""
        n_finished = self._resume()
        for number in range(n_finished, len(self.parts)):
            due = number > n_finished and time.monotonic() - self.saved_at >= self.spec.checkpoint_every_s
            if due or self.run.should_stop:
                self._checkpoint(number)
            measurement, part = self.parts[number]
            measurement.measure(part, self._progress(number))

    def _progress(self, number: int) -> OnProgress:
        total, done = (sum(part.n_answers for _, part in some) for some in (self.parts, self.parts[:number]))

        def report(n_more: int, _of: int) -> None:
            self.run.progress(done + n_more, total, unit="answers")
            if self.run.should_stop:
                self._checkpoint(number)

        return report

    def _checkpoint(self, n_finished: int) -> None:
        """Keep the finished parts, and end there if the run was asked to stop: an unfinished part is drawn again."""

        def write(folder: Path) -> None:
            state = {"n_finished": n_finished, "rows": [measurement.rows for measurement in self.measurements]}
            (folder / STATE).write_text(json.dumps(state), encoding="utf-8")

        self.run.save_checkpoint(n_finished, write)
        self.saved_at = time.monotonic()
        if self.run.should_stop:
            raise Stopped(f"Stopped after part {n_finished}; the next attempt goes on from there.")

    def _resume(self) -> int:
        folder = self.run.newest_checkpoint()
        if folder is None:
            return 0
        self.run.message(f"Going on from {folder.name}.")
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        rows_by_measurement: list[list[Row]] = state["rows"]
        for measurement, rows in zip(self.measurements, rows_by_measurement, strict=True):
            measurement.rows = rows
        return int(state["n_finished"])
