"""Snapshots: adapters on the way of an online training, which `evaluate` reads the over-optimisation curve from.

They outlive the attempt that wrote them, as checkpoints do, and become artifacts `snapshots/<step>` when the training
ends. A resumed run takes the earlier attempts' as they are: everything random follows from (seed, step), so it would
write the same bytes.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from modeling.rundir import COMPLETE, SNAPSHOTS, RunDir


class Snapshots:
    """`n` snapshots at equal distances, the last one after the last step; none for 0."""

    def __init__(self, run: RunDir, save: Callable[[Path], None], *, n: int, n_steps: int) -> None:
        self.run, self.save = run, save
        self.steps = {n_steps * (number + 1) // n for number in range(n)}

    def keep_if_due(self, n_done: int) -> None:
        """Keep the adapter after `n_done` steps, if it is one of those to keep and is not kept yet."""
        if n_done in self.steps and n_done not in self.run.snapshots():
            self.run.save_snapshot(n_done, self.save)

    def publish(self) -> None:
        """Copy all snapshots to the run's artifacts."""
        for step, folder in self.run.snapshots().items():
            target = self.run.artifact(SNAPSHOTS) / str(step)
            shutil.copytree(folder, target, ignore=shutil.ignore_patterns(COMPLETE))
