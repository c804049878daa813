"""Optimizer and parameters as named tensors, to safetensors and back: a checkpoint without pickle.

Our own loops draw all randomness from (seed, step), so parameters, optimizer moments and a JSON of plain values are the
whole state: a resumed run computes the same bytes as one that was never interrupted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modeling.errors import BadInput

TENSORS = "state.safetensors"
VALUES = "state.json"


def optimizer_for(parameters: Mapping[str, Tensor], *, learning_rate: float) -> torch.optim.AdamW:
    """Return AdamW without weight decay: LoRA starts at the base, and decay would pull towards it a second time."""
    return torch.optim.AdamW(list(parameters.values()), lr=learning_rate, weight_decay=0.0, betas=(0.9, 0.95))


def state_write(
    folder: Path, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, values: dict[str, Any]
) -> None:
    """Write parameters, the optimizer's moments and plain values into the folder."""
    tensors = {f"parameter/{name}": parameter.detach() for name, parameter in parameters.items()}
    for name, parameter in parameters.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{key}/{name}"] = value
    save_file({key: tensor.contiguous().cpu() for key, tensor in tensors.items()}, folder / TENSORS)
    (folder / VALUES).write_text(json.dumps(values), encoding="utf-8")


def values_read(folder: Path) -> dict[str, Any]:
    """Return the plain values of a checkpoint."""
    values: dict[str, Any] = json.loads((folder / VALUES).read_text(encoding="utf-8"))
    return values


@torch.no_grad()
def state_read(folder: Path, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
    """Put parameters and moments back in place, on whatever device the parameters are.

    Raises: BadInput when they are of other shapes, as after an update that changed what is trained.
    """
    tensors = load_file(folder / TENSORS)
    saved = {name: tensors[f"parameter/{name}"].shape for name in parameters if f"parameter/{name}" in tensors}
    if saved != {name: parameter.shape for name, parameter in parameters.items()}:
        raise BadInput(f"{folder} is the checkpoint of another training: start this one in a new folder.")
    for name, parameter in parameters.items():
        parameter.copy_(tensors[f"parameter/{name}"])
        suffix = f"/{name}"
        moments = {key.removesuffix(suffix): value for key, value in tensors.items() if key.endswith(suffix)}
        del moments["parameter"]
        if moments:
            # AdamW keeps its step counter on the CPU and the moments beside the parameter.
            optimizer.state[parameter] = {
                key: value if key == "step" else value.to(parameter.device) for key, value in moments.items()
            }


def trainable_parameters(module: torch.nn.Module) -> dict[str, Tensor]:
    """Return the parameters that want gradients, by name, in the module's order."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
