"""A value function: what reward is still to come, for every token of an answer before it is written.

A small network on what the reference and the reward models see in the answer so far (`value_features.py`): it needs no
adapter of its own and no pass backwards through the model. Its last layer starts at zero, and so does every value.

Shapes: K answer tokens of all answers in a row, F features.
"""

import torch
from torch import Tensor, nn

from modeling.device import Device

HIDDEN = 64
"""A linear head explained half as much of the scores of held-out answers, 256 units no more (docs/experiments.md)."""


class ValueHead:
    """The network, from `width` features, and its parameters by name."""

    def __init__(self, width: int, device: Device, *, seed: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = nn.Sequential(nn.Linear(width, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1))
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)
        self.layers.to(device.torch_device)
        self.parameters: dict[str, Tensor] = {f"value.{name}": each for name, each in self.layers.named_parameters()}

    def values(self, features_KF: Tensor) -> Tensor:
        """Return values_K, each from what is known before the token."""
        values_K: Tensor = self.layers(features_KF).squeeze(1)
        return values_K
