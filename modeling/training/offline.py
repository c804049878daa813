"""The loop of the offline stages: batches through a policy, step by step, to an adapter.

Knows no loss: a stage's objective says how a batch is cut into parts and what each of them costs.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from modeling.model.cores import backward_parts, map_parts
from modeling.model.dropout import dropout_seeded
from modeling.rundir import RunDir
from modeling.sampling.randomness import mix_seeds
from modeling.spec import OfflineSpec
from modeling.training.checkpoints import Checkpoints
from modeling.training.divergence import N_LAST_STEPS, final_figures, finite_refuse
from modeling.training.offline_policy import OfflinePolicy
from modeling.training.schedule import warm_cosine
from modeling.training.state import optimizer_for, trainable_parameters

MAX_GRAD_NORM = 1.0
Batch_contra = TypeVar("Batch_contra", contravariant=True)
Batch = TypeVar("Batch")
Part = TypeVar("Part")
Sums = dict[str, float]


class Objective(Protocol[Batch_contra, Part]):
    """What is asked of a policy; the losses of a batch's parts add up to the batch's."""

    def parts(self, batch: Batch_contra) -> list[Part]:
        """Cut a batch into what goes through the model together; the model is in evaluation mode."""

    def part_loss(self, part: Part) -> tuple[Tensor, Sums]:
        """Return a part's share of the batch's loss, and what its figures are made of."""

    def figures(self, sums: Sums) -> dict[str, float]:
        """Return the figures of a batch from the sums over its parts."""


class OfflineTraining(Generic[Batch, Part]):
    """The loop; its whole state is the step, the adapter, the optimizer and the figures of the last steps."""

    def __init__(
        self,
        spec: OfflineSpec,
        run: RunDir,
        policy: OfflinePolicy,
        objective: Objective[Batch, Part],
        batches: Sequence[Batch],
    ) -> None:
        self.spec, self.run, self.policy, self.objective, self.batches = spec, run, policy, objective, batches
        self.parameters = trainable_parameters(policy.model)
        self.optimizer = optimizer_for(self.parameters, learning_rate=spec.learning_rate)
        self.checkpoints = Checkpoints(
            run, self.parameters, self.optimizer, every_s=spec.checkpoint_every_s, n_steps=len(batches)
        )

    def train(self) -> dict[str, float]:
        """Go through all batches and return the figures of the last ones, averaged. Raises: Refused, Stopped."""
        state = self.checkpoints.resume()
        last: list[dict[str, float]] = state.get("last", [])
        for step in range(state["step"], len(self.batches)):
            self.checkpoints.write_if_due(step, {"last": last})
            figures = self._step(step)
            finite_refuse(step, figures)
            self.run.metrics(step + 1, **figures)
            self.run.progress(step + 1, len(self.batches))
            last = [*last, figures][-N_LAST_STEPS:]
        return final_figures(last)

    def _step(self, step: int) -> dict[str, float]:
        rate = self.spec.learning_rate * warm_cosine(step, len(self.batches))
        self.optimizer.param_groups[0]["lr"] = rate
        self.policy.model.eval()
        parts = self.objective.parts(self.batches[step])
        self.policy.model.train()

        def loss_of(numbered: tuple[int, Part]) -> tuple[Tensor, Sums]:
            number, part = numbered
            with dropout_seeded(mix_seeds(self.spec.seed, step, number), self.policy.device):
                return self.objective.part_loss(part)

        found = backward_parts(self.policy.device, self.parameters, loss_of, list(enumerate(parts)))
        grad_norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), MAX_GRAD_NORM))
        self.optimizer.step()
        self.optimizer.zero_grad()
        return self.objective.figures(_added(found)) | {"grad_norm": grad_norm, "learning_rate": rate}

    @torch.no_grad()
    def measure(self, batch: Batch) -> dict[str, float]:
        """Return the figures of a batch that is not trained on."""
        self.policy.model.eval()
        parts = self.objective.parts(batch)
        found = map_parts(self.policy.device, lambda part: self.objective.part_loss(part)[1], parts)
        return {f"heldout_{name}": value for name, value in self.objective.figures(_added(found)).items()}


def _added(found: Iterable[Sums]) -> Sums:
    total: Sums = {}
    for sums in found:
        for name, value in sums.items():
            total[name] = total.get(name, 0.0) + value
    return total
