"""A base in 4 bits, to train adapters on where its float32 weights do not fit: QLoRA.

bitsandbytes does it, which is no requirement of ours: it is of use on CUDA devices alone. What is sampled or merged
later has the base's full weights again; the adapter is the same file.

Source: Dettmers et al., 2023, https://arxiv.org/abs/2305.14314 (NF4, double quantisation).
"""

import importlib.util
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from modeling.device import Device
from modeling.errors import BadInput


def quantizing_check(device: Device) -> None:
    """Raises: BadInput where a base cannot be held in 4 bits."""
    missing = [
        what
        for what, there in (
            ("a CUDA device", device.torch_device.type == "cuda"),
            ("the package bitsandbytes", importlib.util.find_spec("bitsandbytes") is not None),
        )
        if not there
    ]
    if missing:
        raise BadInput(f"lora.quantize '4bit' needs {' and '.join(missing)}, not found here: use 'none'.")


def quantizing_options(device: Device) -> dict[str, Any]:
    """Return what `from_pretrained` needs to load the linear layers in 4 bits onto the device."""
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=device.autocast_dtype or torch.float32,
    )
    return {"quantization_config": config, "device_map": {"": device.torch_device}}
