"""Dropout that draws from a generator of the thread, so that parts of a batch may run at the same time.

torch's own draws from one generator of the process: which part draws first would decide what is dropped.
"""

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from modeling.device import Device

_BYTE = 256
_BYTES_OF_WORD, _LOWEST = 8, -(2**63)
_thread = threading.local()


@contextlib.contextmanager
def dropout_seeded(seed: int, device: Device) -> Iterator[None]:
    """Let `Dropout` in this thread draw from this seed (63 bits)."""
    _thread.generator = torch.Generator(device.torch_device).manual_seed(seed)
    try:
        yield
    finally:
        _thread.generator = None


def train_mode(model: nn.Module) -> None:
    """Let `Dropout` drop, which every adapter has; a base's own dropout, of the process's generator, stays off."""
    model.eval()
    for module in model.modules():
        if isinstance(module, Dropout):
            module.train()


class Dropout(nn.Dropout):
    """As torch's, with `p` rounded to 256ths; outside `dropout_seeded` it draws from the process's generator.

    Eight elements share one draw of 64 bits: torch's own mask takes ten times as long on a CPU, a third of a training
    step with an adapter on every layer.

    Source: Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch names it so
        """Return the input with a share `p` of zeros, the rest scaled up by 1 / (1 - p), while training."""
        n_dropped = round(self.p * _BYTE)
        if not self.training or n_dropped == 0:
            return input
        if n_dropped == _BYTE:
            return input * 0
        words = torch.empty(-(-input.numel() // _BYTES_OF_WORD), dtype=torch.int64, device=input.device)
        words.random_(_LOWEST, None, generator=getattr(_thread, "generator", None))
        kept = words.view(torch.uint8)[: input.numel()].view(input.shape) >= n_dropped
        return input * (kept * (_BYTE / (_BYTE - n_dropped))).to(input.dtype)
