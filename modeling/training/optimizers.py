"""Muon for the matrices inside a transformer, AdamW for everything else, and a checkpoint of both.

Source: Jordan et al., 2024, https://kellerjordan.github.io/posts/muon. On the demo corpus it needed two thirds of the
tokens that AdamW alone needed (docs/experiments.md).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from modeling.device import Device
from modeling.model.cores import map_parts
from modeling.training.state import state_read, state_write

_ADAMW_BETAS = (0.9, 0.95)
_MUON_MOMENTUM = 0.95
_MAX_GRAD_NORM = 1.0


@dataclasses.dataclass(frozen=True)
class _Part:
    name: str
    parameters: Mapping[str, Tensor]
    optimizer: torch.optim.Optimizer
    peak_learning_rate: float

    def step(self, factor: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak_learning_rate * factor
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


class PretrainOptimizer:
    """Both optimizers under one schedule, the matrices in two halves so that two cores share the work."""

    def __init__(
        self,
        model: torch.nn.Module,
        device: Device,
        *,
        matrix_learning_rate: float,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        named = dict(model.named_parameters())
        # An embedding is a table of rows, not a map between spaces: orthogonal updates make no sense there.
        matrices = [name for name, tensor in named.items() if tensor.ndim == 2 and "layers." in name]
        halves = {"muon-0": matrices[::2], "muon-1": matrices[1::2]}
        others = {name: tensor for name, tensor in named.items() if name not in matrices}
        adamw = torch.optim.AdamW(
            list(others.values()), lr=learning_rate, betas=_ADAMW_BETAS, weight_decay=0.0, fused=True
        )
        self._parts = [_Part("adamw", others, adamw, learning_rate)]
        for name, half in halves.items():
            muon = torch.optim.Muon(
                [named[matrix] for matrix in half],
                lr=matrix_learning_rate, momentum=_MUON_MOMENTUM, weight_decay=weight_decay,
            )  # fmt: skip
            self._parts.append(_Part(name, {matrix: named[matrix] for matrix in half}, muon, matrix_learning_rate))
        self._parameters, self._device = list(named.values()), device

    def step(self, factor: float) -> None:
        """Take one step along the gradients at this share of the peak learning rates, and forget them."""
        torch.nn.utils.clip_grad_norm_(self._parameters, _MAX_GRAD_NORM)
        list(map_parts(self._device, lambda part: part.step(factor), self._parts))

    def write(self, folder: Path) -> None:
        """Write weights and moments into the folder."""
        for part in self._parts:
            (folder / part.name).mkdir()
            state_write(folder / part.name, part.parameters, part.optimizer, {})

    def read(self, folder: Path) -> None:
        """Put weights and moments back in place."""
        for part in self._parts:
            state_read(folder / part.name, part.parameters, part.optimizer)
