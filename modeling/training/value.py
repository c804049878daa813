"""A value function: what reward is still to come, for every token of an answer before it is written.

A small network on the hidden states of the reference, which the KL needs anyway: it costs no pass through the model,
neither forwards nor backwards, and no adapter. Its last layer starts at zero, and so does every value.

Shapes: K answer tokens of all answers in a row, D hidden width of the base.
"""

import torch
from torch import Tensor, nn

from modeling.device import Device

HIDDEN = 64
"""A linear head explained half as much of the scores of held-out answers, 256 units no more (docs/experiments.md)."""


class ValueHead:
    """The network and its parameters by name."""

    def __init__(self, width: int, device: Device, *, seed: int) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.layers = nn.Sequential(nn.Linear(width, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 1))
        for parameter in self.layers[-1].parameters():
            nn.init.zeros_(parameter)
        self.layers.to(device.torch_device)
        self.parameters: dict[str, Tensor] = {f"value.{name}": each for name, each in self.layers.named_parameters()}

    def values(self, features_KD: Tensor) -> Tensor:
        """Return values_K, each from the state that predicts the token: it knows all that stands before."""
        values_K: Tensor = self.layers(features_KD).squeeze(1)
        return values_K
