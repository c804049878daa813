"""Where tensors live and in which precision they are multiplied. Weights are always float32.

bfloat16 is used only where the hardware multiplies it: emulated bfloat16 on an older CPU is several times slower than
float32. Results are reproducible byte for byte on one machine with one dtype, across processes.
"""

import contextlib
import dataclasses
import os
import platform
import random
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

_PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors", "accelerate", "numpy")
_BF16_ON_CPU = frozenset({"pretrain", "sft", "rft"})
"""Stages that train on full batches. In the others a CPU is no faster in bfloat16, and keeps memory for every new
shape: 1.9 GB instead of 0.8 for a reward model of the demo (docs/experiments.md)."""


@dataclasses.dataclass(frozen=True)
class Device:
    """A torch device and the dtype of its autocast; None multiplies in float32."""

    torch_device: torch.device
    autocast_dtype: torch.dtype | None

    @property
    def is_cpu(self) -> bool:
        return self.torch_device.type == "cpu"

    @property
    def name(self) -> str:
        """The name that goes into a result, such as `cpu` or the GPU's model."""
        return "cpu" if self.is_cpu else torch.cuda.get_device_name(self.torch_device)

    @property
    def dtype_name(self) -> str:
        """The dtype that goes into a result."""
        return str(self.autocast_dtype or torch.float32).removeprefix("torch.")

    @property
    def bf16(self) -> bool:
        return self.autocast_dtype is torch.bfloat16

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """Return the context in which forward passes run."""
        if self.autocast_dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.torch_device.type, dtype=self.autocast_dtype)


def pick_device(stage: str = "") -> Device:
    """Return the first GPU, else the CPU, with bfloat16 where the hardware has it and the stage gains from it."""
    if torch.cuda.is_available():
        return Device(torch.device("cuda", 0), torch.bfloat16 if torch.cuda.is_bf16_supported() else None)
    wanted = stage in _BF16_ON_CPU and _cpu_multiplies_bf16()
    return Device(torch.device("cpu"), torch.bfloat16 if wanted else None)


def seed_everything(seed: int) -> None:
    """Seed every generator and choose deterministic kernels where torch has them."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - trl and transformers draw from the global generator
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling fresh memory finds reads of what was never written, and costs a twentieth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def versions() -> dict[str, str]:
    """Return the versions that a result records."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def _cpu_multiplies_bf16() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags
