"""LoRA adapters on a model, plain, rank-stabilised or decomposed: made, loaded, saved.

Loading injects fresh layers from a checked configuration and fills them; an adapter that does not fit leaves nothing
behind. Only LoRA is known, and embeddings or a tied output layer are never part of an adapter. How the files look is
`adapter_files.py`; which adapter computes is `adapter_switching.py`.

Source: LoRA, Hu et al., 2021, https://arxiv.org/abs/2106.09685.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.variants import DoraLinearVariant
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from modeling.errors import BadInput
from modeling.model import adapter_files
from modeling.model.dora import Dora
from modeling.model.dropout import Dropout
from modeling.spec import LoraSpec

DEFAULT = "default"
Task = Literal["CAUSAL_LM", "TOKEN_CLS"]


def new_adapter(
    model: PreTrainedModel | PeftModel,
    lora: LoraSpec,
    *,
    seed: int,
    name: str = DEFAULT,
    task: Task = "CAUSAL_LM",
    modules_to_save: Sequence[str] = (),
) -> PeftModel:
    """Put a fresh, trainable adapter on the model (which is changed in place) and make it the active one.

    The same seed gives the same weights; the global generator is left as it was. A fresh adapter computes exactly
    what the base computes. `modules_to_save` names modules trained whole (a reward model's `score` head).
    """
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        target_modules="all-linear" if lora.targets == "all-linear" else _attention_linears(model),
        modules_to_save=sorted(modules_to_save) or None,
        task_type=task,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        peft_model = _inject(model, config, name)
    peft_model.set_adapter(name)
    return peft_model


def load_adapter(
    model: PreTrainedModel | PeftModel,
    path: str | Path,
    *,
    name: str = DEFAULT,
    trainable: bool = False,
    base_sha256: str = "",
) -> PeftModel:
    """Load an adapter folder under a name and make it the active adapter; frozen unless `trainable`.

    With `base_sha256` an adapter that says it was made for another base is refused; one that says nothing (made by
    another tool) is judged by its shapes alone. A refused adapter leaves the model without that name.

    Raises: BadInput when the folder is not a LoRA adapter in safetensors, or does not fit the model.
    """
    stored = adapter_files.read(path)
    made_for = stored.base_sha256
    if base_sha256 and made_for and made_for != base_sha256:
        raise BadInput(
            f"The adapter in {path} was made for another base (sha256 {made_for[:12]}, not {base_sha256[:12]}). "
            "Load it on the base that it was trained on."
        )
    was_plain = not isinstance(model, PeftModel)
    try:
        with torch.random.fork_rng():
            peft_model = _inject(model, stored.config, name)
    except ValueError as error:
        raise BadInput(f"The adapter in {path} does not fit this base: {error}") from error
    misfit = _misfit(peft_model, name, stored.weights)
    if misfit:
        if was_plain:
            peft_model.unload()
        else:
            peft_model.delete_adapter(name)
        raise BadInput(f"The adapter in {path} does not fit this base: {misfit}.")
    set_peft_model_state_dict(peft_model, stored.weights, adapter_name=name)
    peft_model.set_adapter(name, inference_mode=not trainable)
    if not trainable:
        peft_model.eval()
    return peft_model


def merge_adapter(base: PreTrainedModel, path: str | Path, *, base_sha256: str = "") -> PreTrainedModel:
    """Return the base with an adapter folded into its weights for good. Raises: BadInput, as `load_adapter`."""
    if adapter_files.read(path).config.modules_to_save:
        raise BadInput(f"{path} has a head of its own, as reward models have: it cannot be merged into a base.")
    merged: PreTrainedModel = load_adapter(base, path, base_sha256=base_sha256).merge_and_unload()
    return merged


def save_adapter(peft_model: PeftModel, path: str | Path, *, base_sha256: str, name: str = DEFAULT) -> None:
    """Write one adapter, whatever its name in memory, as a folder whose bytes depend on its weights alone."""
    weights = get_peft_model_state_dict(peft_model, adapter_name=name, save_embedding_layers=False)
    config = peft_model.peft_config[name].to_dict()
    adapter_files.write(Path(path), weights, config, {"base_sha256": base_sha256})


def _inject(model: PreTrainedModel | PeftModel, config: LoraConfig, name: str) -> PeftModel:
    if isinstance(model, PeftModel):
        if name in model.peft_config:
            raise BadInput(f"An adapter named {name!r} is loaded already.")
        model.add_adapter(name, config)
        return _settle_layers(model)
    if any(isinstance(module, LoraLayer) for module in model.modules()):
        raise BadInput("The model inside an adapted model cannot be adapted again; pass the adapted model itself.")
    return _settle_layers(get_peft_model(model, config, adapter_name=name))


def _settle_layers(model: PeftModel) -> PeftModel:
    """Let LoRA layers take activations as autocast leaves them (peft casts them to float32), by our parts."""
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.cast_input_dtype_enabled = False
            for name, dropout in module.lora_dropout.items():
                if type(dropout) is nn.Dropout:
                    module.lora_dropout[name] = Dropout(dropout.p).train(dropout.training)
            for name, variant in module.lora_variant.items():
                if type(variant) is DoraLinearVariant:
                    module.lora_variant[name] = Dora()
    return model


def _attention_linears(model: nn.Module) -> list[str]:
    """Return the last names of linear layers inside attention blocks, whatever the architecture calls them."""
    names = {
        name.removesuffix(".base_layer").rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and ".lora_" not in name
        if "attn" in name.lower().replace("attention", "attn")
    }
    if not names:
        raise BadInput("lora.targets 'attention' found no attention layers in this base; use 'all-linear'.")
    return sorted(names)


def _misfit(peft_model: PeftModel, name: str, weights: dict[str, torch.Tensor]) -> str:
    """Say how a file's tensors differ from what the injected layers hold; empty when they fit."""
    own = get_peft_model_state_dict(peft_model, adapter_name=name, save_embedding_layers=False)
    for problem, keys in (
        ("has no", own.keys() - weights.keys()),
        ("has an unexpected", weights.keys() - own.keys()),
        ("has another shape of", {key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape}),
    ):
        if keys:
            return f"it {problem} {min(keys)} ({len(keys)} such)"
    return ""
