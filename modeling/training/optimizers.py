"""Muon for the matrices inside a transformer, AdamW for everything else, and a checkpoint of both.

Source: Jordan et al., 2024, https://kellerjordan.github.io/posts/muon. On the demo corpus it needed two thirds of the
tokens that AdamW alone needed (docs/experiments.md).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

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


class PretrainOptimizer:
    """Both optimizers under one schedule."""

    def __init__(
        self, model: torch.nn.Module, *, matrix_learning_rate: float, learning_rate: float, weight_decay: float
    ) -> None:
        named = dict(model.named_parameters())
        # An embedding is a table of rows, not a map between spaces: orthogonal updates make no sense there.
        matrices = {name: tensor for name, tensor in named.items() if tensor.ndim == 2 and "layers." in name}
        others = {name: tensor for name, tensor in named.items() if name not in matrices}
        muon = torch.optim.Muon(
            list(matrices.values()), lr=matrix_learning_rate, momentum=_MUON_MOMENTUM, weight_decay=weight_decay
        )
        adamw = torch.optim.AdamW(
            list(others.values()), lr=learning_rate, betas=_ADAMW_BETAS, weight_decay=0.0, fused=True
        )
        self._parts = (
            _Part("muon", matrices, muon, matrix_learning_rate),
            _Part("adamw", others, adamw, learning_rate),
        )
        self._parameters = list(named.values())

    def step(self, loss: Tensor, factor: float) -> None:
        """Take one step down the loss at this share of the peak learning rates."""
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, _MAX_GRAD_NORM)
        for part in self._parts:
            for group in part.optimizer.param_groups:
                group["lr"] = part.peak_learning_rate * factor
            part.optimizer.step()
            part.optimizer.zero_grad(set_to_none=True)

    def write(self, folder: Path) -> None:
        """Write weights and moments into the folder."""
        for part in self._parts:
            (folder / part.name).mkdir()
            state_write(folder / part.name, part.parameters, part.optimizer, {})

    def read(self, folder: Path) -> None:
        """Put weights and moments back in place."""
        for part in self._parts:
            state_read(folder / part.name, part.parameters, part.optimizer)
