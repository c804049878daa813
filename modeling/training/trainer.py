"""The glue between a run directory and any transformers or trl trainer.

The trainer reports its metrics, checkpoints by the clock into folders that are whole or absent, stops when asked and
goes on from the newest checkpoint. Knows no loss and no data.
"""

import math
import shutil
import time
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from modeling.device import Device
from modeling.errors import Refused, Stopped
from modeling.rundir import RunDir
from modeling.spec.result import CHECKPOINTS

_SCRATCH = "trainer.tmp"  # where the trainer writes before a checkpoint is published; swept with other leftovers
_REPORT_SHARE = 0.01  # a hundred points of a curve


def trainer_arguments(run: RunDir, device: Device, *, seed: int) -> dict[str, Any]:
    """Return the arguments that every trainer of ours shares, to be passed to a trl config beside its own."""
    return {
        "output_dir": str(run.path / CHECKPOINTS / _SCRATCH),
        "seed": seed,
        "data_seed": seed,
        "bf16": device.bf16,
        "use_cpu": device.is_cpu,
        "activation_checkpointing": False,  # trades time for memory that these models do not need
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.05,  # a share of all steps
        "max_grad_norm": 1.0,
        "logging_steps": _REPORT_SHARE,
        "logging_nan_inf_filter": False,  # a loss that is not a number must be seen
        "save_strategy": "no",  # the callback saves by the clock
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": not device.is_cpu,
    }


def train_to_end(trainer: Trainer, run: RunDir, *, checkpoint_every_s: float) -> float:
    """Train from the newest checkpoint, or from the start, to the end; return the last loss.

    Raises: Stopped, Refused.
    """
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    trainer.add_callback(_RunCallback(run, checkpoint_every_s))
    checkpoint = run.newest_checkpoint()
    if checkpoint is not None:
        run.message(f"Going on from {checkpoint.name}.")
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    state = trainer.state
    if state.global_step < state.max_steps:
        raise Stopped(
            f"Stopped at step {state.global_step} of {state.max_steps}; a checkpoint holds everything so far."
        )
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    return float(losses[-1])


class _RunCallback(TrainerCallback):
    # The signatures are transformers' own: what a method does not use is passed all the same.
    def __init__(self, run: RunDir, checkpoint_every_s: float) -> None:
        self.run, self.checkpoint_every_s = run, checkpoint_every_s
        self.saved_at = time.monotonic()

    def on_step_end(
        self, _args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        self.run.progress(state.global_step, state.max_steps)
        if state.global_step >= state.max_steps:
            return control
        if self.run.should_stop:
            control.should_save = control.should_training_stop = True
        elif time.monotonic() - self.saved_at >= self.checkpoint_every_s:
            control.should_save = True
        return control

    def on_log(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        values = {name: float(value) for name, value in logs.items() if isinstance(value, (int, float))}
        for name in ("loss", "grad_norm"):
            if not math.isfinite(values.get(name, 0.0)):
                raise Refused(
                    f"{name} became {values[name]} at step {state.global_step}: training diverged. Lower learning_rate."
                )
        self.run.metrics(state.global_step, **values)

    def on_save(self, args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        written = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        self.run.save_checkpoint(state.global_step, lambda folder: _move_contents(written, folder))
        self.saved_at = time.monotonic()


def _move_contents(source: Path, target: Path) -> None:
    for item in source.iterdir():
        item.rename(target / item.name)
    shutil.rmtree(source)
