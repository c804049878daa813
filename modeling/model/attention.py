"""Attention in float32 under a bfloat16 autocast on the CPU.

torch's bfloat16 attention kernel for CPUs is slow backwards: 22 rows of 100 tokens and 4 heads of 32 take 31 ms
forwards and backwards on one core, in float32 9 ms, while the matrix products around it are four times as fast in
bfloat16. So the products stay in bfloat16 and attention leaves it. On a GPU transformers' own choice is right.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from modeling.device import Device

NAME = "sdpa_float32"
EAGER_CONTEXT = 512
"""Up to here plain matrix products beat the fused kernels on a CPU (8 x 256 tokens, 1M parameters: 16k to 18k tokens
a second against 13k to 14k, on one core); beyond, their scores, quadratic in the length, take too much memory."""


def attention_name(device: Device) -> str:
    """Return the attention implementation to load a model with."""
    return NAME if device.is_cpu and device.bf16 else "sdpa"


def pretraining_attention_name(device: Device, context_length: int) -> str:
    """Return the attention implementation for full windows of this length."""
    return "eager" if device.is_cpu and context_length <= EAGER_CONTEXT else "sdpa"


def attend_in_float32(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Compute what transformers' `sdpa` computes, in float32 whatever the autocast."""
    if attention_mask is not None and attention_mask.is_floating_point():
        attention_mask = attention_mask.float()
    with torch.autocast(query.device.type, enabled=False):
        output, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), attention_mask, **options)
    return output.to(query.dtype), None


AttentionInterface.register(NAME, attend_in_float32)
AttentionMaskInterface.register(NAME, sdpa_mask)
