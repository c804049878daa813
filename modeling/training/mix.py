"""The pretraining mix of PPO: windows of plain text whose likelihood the policy is asked to keep.

Source: Ouyang et al., 2022 (https://arxiv.org/abs/2203.02155), eq. 2 (PPO-ptx).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from modeling.device import Device
from modeling.errors import BadInput
from modeling.model.batching import token_budget
from modeling.model.cores import backward_parts
from modeling.model.logprobs import causal_lm, hidden_states
from modeling.spec import PPOSpec
from modeling.training.packing import Windows, pack_files

WINDOW_TOKENS = 256
"""Long enough to hold what a small base knows of order, short enough to stay a fraction of the answers' cost."""


class PretrainingMix:
    """Adds the gradients of mix_coef times the mean loss of a batch of windows to those of the policy."""

    def __init__(
        self, spec: PPOSpec, model: Any, tokenizer: PreTrainedTokenizerFast, device: Device, *, context: int
    ) -> None:
        self.spec, self.model, self.device = spec, model, device
        tokens = pack_files(spec.mix, tokenizer).train
        length = min(WINDOW_TOKENS, context)
        if len(tokens) <= 2 * length:
            raise BadInput(
                f"The texts of mix hold {len(tokens)} tokens, too few for windows of {length}: give more text."
            )
        self.windows = Windows(tokens, length=length, seed=spec.seed)
        vocab_size = causal_lm(model).config.get_text_config().vocab_size
        self.rows_per_part = max(1, token_budget(device, vocab_size) // length)

    def backward(self, parameters: dict[str, Tensor], index: int) -> float:
        """Add the gradients of batch number `index` and return its mean loss in nats per token."""
        ids_BT = torch.from_numpy(self.windows.batch(index, self.spec.mix_batch_size))
        parts = list(ids_BT.split(self.rows_per_part))

        def loss_of(part_BT: Tensor) -> tuple[Tensor, float]:
            loss = self._loss(part_BT.to(self.device.torch_device)) * (len(part_BT) / len(ids_BT))
            return self.spec.mix_coef * loss, float(loss.detach())

        return sum(backward_parts(self.device, parameters, loss_of, parts))

    def _loss(self, ids_BT: Tensor) -> Tensor:
        with self.device.autocast():
            hidden_BTD = hidden_states(self.model, ids_BT[:, :-1])
            logits_BTV = causal_lm(self.model).get_output_embeddings()(hidden_BTD)
        return functional.cross_entropy(logits_BTV.float().flatten(0, 1), ids_BT[:, 1:].flatten())
