"""The supervised loop: any model that wants gradients, any token rows, one loss on the learnt tokens.

Rows are never laid end to end. A batch holds rows of like length (`ordering.py`) and goes through the model in parts of
like length, so little of it is padding, and a row cannot see another: they stand in different rows of a tensor.

Everything random follows from (seed, step): a checkpoint is parameters, optimizer and step.

Shapes: B rows, T tokens, K learnt tokens of all rows, D hidden width, V vocabulary.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modeling.device import Device
from modeling.errors import Refused
from modeling.model.batching import pack, pad_right, token_budget
from modeling.model.cores import backward_parts
from modeling.model.dropout import dropout_seeded, train_mode
from modeling.model.logprobs import causal_lm, hidden_states
from modeling.rundir import RunDir
from modeling.sampling.randomness import mix_seeds
from modeling.spec import RFTSpec, SFTSpec
from modeling.training.checkpoints import Checkpoints
from modeling.training.ordering import order_by_length
from modeling.training.rows import Row
from modeling.training.schedule import warm_cosine
from modeling.training.state import optimizer_for, trainable_parameters

MAX_GRAD_NORM = 1.0
N_REPORTS = 100
"""Points of the curve."""
PART_SHARE = 9 / 16
"""Of a batch's tokens, for each part on a CPU: a little over half, so that two cores have one each. A step of the demo
base takes 0.07 CPU seconds in two parts, 0.11 in five."""


class FineTuning:
    """One training; its whole state is the step, the parameters, their optimizer and the losses not yet reported."""

    def __init__(self, spec: SFTSpec | RFTSpec, run: RunDir, model: Any, device: Device) -> None:
        self.spec, self.run, self.model, self.device = spec, run, model, device
        self.parameters = trainable_parameters(model)
        self.optimizer = optimizer_for(self.parameters, learning_rate=spec.learning_rate)
        self.checkpoints = Checkpoints(run, self.parameters, self.optimizer, every_s=spec.checkpoint_every_s, n_steps=0)

    def train(self, rows: Sequence[Row], values: Mapping[str, Any], *, n_before: int = 0) -> float:
        """Learn the rows from `values` of a checkpoint on, and return the mean loss of the last steps.

        `n_before` steps were something else, and count in checkpoints and reports. Raises: Stopped, Refused.
        """
        batches = self._batches(rows)
        self.checkpoints.n_steps = n_steps = n_before + len(batches)
        losses: list[float] = list(values.get("losses", []))
        kept = {name: value for name, value in values.items() if name not in ("step", "losses")}
        train_mode(self.model)
        for step in range(max(values["step"], n_before), n_steps):
            self.checkpoints.write_if_due(step, kept | {"losses": losses})
            factor = warm_cosine(step - n_before, len(batches))
            loss, grad_norm = self._step(step, [rows[index] for index in batches[step - n_before]], factor)
            losses.append(loss)
            self.run.progress(step + 1, n_steps)
            if (step + 1 - n_before) % max(1, len(batches) // N_REPORTS) == 0 or step + 1 == n_steps:
                mean = sum(losses) / len(losses)
                self.run.metrics(
                    step + 1, loss=mean, grad_norm=grad_norm, learning_rate=self.spec.learning_rate * factor
                )
                losses = losses if step + 1 == n_steps else []
        return sum(losses) / len(losses)

    def _batches(self, rows: Sequence[Row]) -> list[list[int]]:
        size = self.spec.batch_size
        lengths = [len(row) for row in rows]
        order = order_by_length(lengths, batch_size=size, epochs=self.spec.epochs, seed=self.spec.seed)
        return [order[start : start + size] for start in range(0, len(order), size)]

    def _step(self, step: int, rows: Sequence[Row], factor: float) -> tuple[float, float]:
        """Take one optimizer step and return loss and gradient norm."""
        total = sum(row.weight * len(row.learnt) for row in rows)

        def loss_of(part: list[int]) -> tuple[Tensor, float]:
            with dropout_seeded(mix_seeds(self.spec.seed, step, part[0]), self.device):
                loss = learnt_loss(self.model, [rows[i] for i in part], self.device) / total
            return loss, float(loss.detach())

        loss = sum(backward_parts(self.device, self.parameters, loss_of, self._parts(rows)))
        self.optimizer.param_groups[0]["lr"] = self.spec.learning_rate * factor
        grad_norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), MAX_GRAD_NORM))
        if not math.isfinite(loss + grad_norm):
            raise Refused(f"The loss became {loss} at step {step + 1}: training diverged. Lower learning_rate.")
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss, grad_norm

    def _parts(self, rows: Sequence[Row]) -> list[list[int]]:
        """Cut a batch into parts by its lengths alone."""
        lengths = [len(row) for row in rows]
        budget = token_budget(self.device, causal_lm(self.model).config.get_text_config().vocab_size)
        return pack(lengths, max_tokens=min(budget, int(sum(lengths) * PART_SHARE)) if self.device.is_cpu else budget)


def learnt_loss(model: Any, rows: Sequence[Row], device: Device) -> Tensor:
    """Return the weighted sum of -log p over the learnt tokens; only these reach the vocabulary layer."""
    ids_BT = pad_right([row.tokens for row in rows], device=device.torch_device)
    rows_K = [index for index, row in enumerate(rows) for _ in row.learnt]
    columns_K = torch.tensor([place for row in rows for place in row.learnt], device=ids_BT.device)
    weights_K = torch.tensor([rows[index].weight for index in rows_K], device=ids_BT.device)
    with device.autocast():
        hidden_KD = hidden_states(model, ids_BT)[rows_K, columns_K - 1]
        logits_KV = causal_lm(model).get_output_embeddings()(hidden_KD)
    losses_K = functional.cross_entropy(logits_KV.float(), ids_BT[rows_K, columns_K], reduction="none")
    return (losses_K * weights_K).sum()
