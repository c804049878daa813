"""Which adapter a model computes with, for the length of a block; everything is put back afterwards.

peft's own switches turn gradients on as a side effect, and its unmerging leaves rounding in the base; these do neither.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel

FUSE_UP_TO_N_WEIGHTS = 500_000_000
"""Folding keeps a copy of the folded weights: 2 GB at this limit."""


@contextlib.contextmanager
def adapter_active(model: PreTrainedModel | PeftModel, name: str | None) -> Iterator[None]:
    """Compute with one loaded adapter, or with the bare base for None."""
    if not isinstance(model, PeftModel):
        assert name is None, "a model without adapters has no adapter to select"
        yield
        return
    before, flags = model.active_adapter, [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        if name is None:
            with model.disable_adapter():
                yield
        else:
            model.set_adapter(name, inference_mode=True)
            yield
    finally:
        model.set_adapter(before, inference_mode=True)
        for weight, flag in flags:
            weight.requires_grad_(flag)


@contextlib.contextmanager
def adapter_fused(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """Fold the active adapter into the base's weights: no extra matrix products for each token.

    The weights come back from a copy, bit for bit. A base too large to copy is left unfolded, which computes the same,
    and so is one in 4 bits, in which the folded weights would be rounded.
    """
    layers = [module for module in model.modules() if isinstance(module, LoraLayer) and _can_fuse(module)]
    if sum(layer.get_base_layer().weight.numel() for layer in layers) > FUSE_UP_TO_N_WEIGHTS:
        layers = []
    with torch.inference_mode(mode=False), torch.no_grad():  # or the copies could never be trained again
        copies = [layer.get_base_layer().weight.detach().clone() for layer in layers]
    try:
        with torch.inference_mode(mode=False), torch.no_grad():
            for layer in layers:
                layer.merge()
        yield
    finally:
        for layer, copy in zip(layers, copies, strict=True):
            layer.merged_adapters.clear()
            layer.get_base_layer().weight.data = copy


def _can_fuse(layer: Any) -> bool:
    active = [name for name in layer.active_adapters if name in layer.lora_A]
    whole = layer.get_base_layer().weight.is_floating_point()
    with_bias = any(layer.lora_bias.get(name, False) for name in active)
    return bool(active) and whole and not with_bias and not layer.disable_adapters and not layer.merged
