"""Checkpoints of the online stages: when one is due, what it holds, and how a later attempt goes on from it.

Source of the format: `state.py`. Knows nothing of what the values mean.
"""

import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from modeling.errors import Stopped
from modeling.rundir import RunDir
from modeling.training.state import state_read, state_write, values_read


class Checkpoints:
    """The checkpoints of one training whose state is named parameters, an optimizer and plain values."""

    def __init__(
        self,
        run: RunDir,
        parameters: Mapping[str, Tensor],
        optimizer: torch.optim.Optimizer,
        *,
        every_s: float,
        n_steps: int,
    ) -> None:
        self.run, self.parameters, self.optimizer = run, parameters, optimizer
        self.every_s, self.n_steps = every_s, n_steps
        self.saved_at = time.monotonic()

    def write_if_due(self, step: int, values: dict[str, Any]) -> None:
        """Write the state before a step when it is time. Raises: Stopped, after writing, when the run was asked to."""
        stop = self.run.should_stop
        if not stop and time.monotonic() - self.saved_at < self.every_s:
            return
        self.run.save_checkpoint(
            step, lambda folder: state_write(folder, self.parameters, self.optimizer, values | {"step": step})
        )
        self.saved_at = time.monotonic()
        if stop:
            raise Stopped(f"Stopped at step {step} of {self.n_steps}; the next attempt goes on from there.")

    def resume(self) -> dict[str, Any]:
        """Put the newest checkpoint's state in place and return its values; without one the step is 0."""
        folder = self.run.newest_checkpoint()
        if folder is None:
            return {"step": 0}
        state_read(folder, self.parameters, self.optimizer)
        self.run.message(f"Going on from {folder.name}.")
        return values_read(folder)
