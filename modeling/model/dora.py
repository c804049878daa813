"""How a DoRA layer computes: peft's weights and files, our forward pass.

peft takes the norm of the adapted weights in the activations' precision, so under a bfloat16 autocast a fresh adapter
already moves the model; here it is float32. And the norm comes from B A itself, not from a pass of the identity.

Shapes: O outputs, I inputs of a layer.
Source: DoRA, Liu et al., 2024, https://arxiv.org/abs/2402.09353, eq. 5; the norm carries no gradient (section 4.3).
"""

from typing import Any

import torch
from peft.tuners.lora.variants import DoraLinearVariant
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor
from torch.nn import functional


class Dora(DoraLinearVariant):
    """m * (W + s B A) / |W + s B A|, the norm taken over each output's weights."""

    @staticmethod
    def forward(module: Any, active_adapter: str, x: Tensor, result: Tensor, **_: Any) -> Tensor:
        """Return the layer's output; `result` is that of the base. Dropout drops inputs of what the adapter adds."""
        lora_A, lora_B = module.lora_A[active_adapter], module.lora_B[active_adapter]
        base, scaling = module.get_base_layer(), module.scaling[active_adapter]
        weight_OI = dequantize_module_weight(base)
        if getattr(module, "fan_in_fan_out", False):
            weight_OI = weight_OI.T
        magnitude_O = module.lora_magnitude_vector[active_adapter].weight
        factor_O = magnitude_O / _norms(weight_OI, lora_A.weight, lora_B.weight, scaling)
        dropped = module.lora_dropout[active_adapter](x)
        if dropped is not x:
            from_base = functional.linear(dropped, weight_OI.to(dropped.dtype))
        else:
            from_base = result if base.bias is None else result - base.bias
        added: Tensor = (factor_O - 1) * from_base + factor_O * scaling * lora_B(lora_A(dropped))
        return result + added


@torch.no_grad()
def _norms(weight_OI: Tensor, lora_A: Tensor, lora_B: Tensor, scaling: float) -> Tensor:
    with torch.autocast(weight_OI.device.type, enabled=False):
        norms_O: Tensor = torch.linalg.norm(weight_OI.float() + scaling * (lora_B.float() @ lora_A.float()), dim=1)
    return norms_O
