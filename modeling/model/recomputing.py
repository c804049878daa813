"""Activation checkpointing: layers keep their input alone and are computed a second time on the way back.

The second computation must happen under the adapter of the first. Here that is so because a loss's gradients are taken
before the next adapter is made active; should a caller ever do otherwise, the recomputation stops instead of mixing.

Source: Chen et al., 2016, https://arxiv.org/abs/1604.06174.
"""

import contextlib
from collections.abc import Iterator

from peft import PeftModel
from transformers.modeling_layers import GradientCheckpointingLayer

from modeling.model.logprobs import causal_lm


@contextlib.contextmanager
def activations_recomputed(model: PeftModel, *, enabled: bool) -> Iterator[None]:
    """Checkpoint every layer within the block, with the model in evaluation mode (no dropout, so nothing is drawn)."""
    if not enabled:
        yield
        return
    inner = causal_lm(model)
    layers = [module for module in inner.modules() if isinstance(module, GradientCheckpointingLayer)]

    def contexts() -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
        return contextlib.nullcontext(), _under_adapter(model, model.active_adapter)

    inner.activation_checkpointing_enable({
        "use_reentrant": False, "preserve_rng_state": False, "context_fn": contexts,
    })  # fmt: skip
    for layer in layers:
        layer.training = True  # what transformers asks before it checkpoints; the modules inside stay as they are
    try:
        yield
    finally:
        for layer in layers:
            layer.training = False
        inner.activation_checkpointing_disable()


@contextlib.contextmanager
def _under_adapter(model: PeftModel, name: str) -> Iterator[None]:
    assert model.active_adapter == name, f"computed under {name!r}, recomputed under {model.active_adapter!r}"
    yield
