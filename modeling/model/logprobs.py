"""Log-probabilities of given answers under a causal language model and whatever adapter is active in it.

Shapes: B sequences, T tokens, D hidden width, A answer tokens (padded), K answer tokens of all sequences in a row,
V vocabulary. Only the positions that predict answer tokens reach the vocabulary layer: the prompt's logits are never
computed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from modeling.device import Device
from modeling.model.batching import MAX_LOGITS, Example, pack, pad_right, token_budget
from modeling.model.cores import map_parts


def causal_lm(model: Any) -> Any:
    """Return the causal language model inside peft's wrapper; its LoRA layers stay in place."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def hidden_states(model: Any, ids_BT: Tensor) -> Tensor:
    """Return hidden_BTD of the last layer, after the final norm."""
    hidden: Tensor = causal_lm(model).base_model(input_ids=ids_BT, use_cache=False).last_hidden_state
    return hidden


def answer_positions(examples: Sequence[Example], device: Device) -> tuple[Tensor, Tensor]:
    """Return (rows_K, columns_K): where the answer tokens stand among the padded sequences, answer by answer."""
    rows = [row for row, example in enumerate(examples) for _ in example.answer]
    columns = [len(example.prompt) + i for example in examples for i in range(len(example.answer))]
    return torch.tensor(rows, device=device.torch_device), torch.tensor(columns, device=device.torch_device)


def answer_states(model: Any, examples: Sequence[Example], device: Device) -> tuple[Tensor, Tensor]:
    """Return (states_KD, tokens_K): the answer tokens, answer by answer, and the states that predict them."""
    ids_BT = pad_right([example.tokens for example in examples], device=device.torch_device)
    rows_K, columns_K = answer_positions(examples, device)
    with device.autocast():
        return hidden_states(model, ids_BT)[rows_K, columns_K - 1], ids_BT[rows_K, columns_K]


def token_logprobs(model: Any, states_KD: Tensor, tokens_K: Tensor, device: Device) -> Tensor:
    """Return logprobs_K in float32, with gradients to the states and none to the frozen vocabulary layer."""
    output = causal_lm(model).get_output_embeddings()
    assert not (output.weight.requires_grad and torch.is_grad_enabled()), "the vocabulary layer is part of no adapter"
    with device.autocast():
        logprobs_K: Tensor = TokenLogprobs.apply(states_KD, output.weight, output.bias, tokens_K)
    return logprobs_K


def answer_logprobs(model: Any, examples: Sequence[Example], device: Device) -> Tensor:
    """Return logprobs_BA in float32 with gradients, zero after each answer's end, from one forward pass."""
    logprobs_K = token_logprobs(model, *answer_states(model, examples, device), device)
    return pad_sequence(list(logprobs_K.split([len(example.answer) for example in examples])), batch_first=True)


def answer_sums(model: Any, examples: Sequence[Example], device: Device) -> Tensor:
    """Return logprobs_B in float64, one sum for each answer, with gradients, from one forward pass."""
    return answer_logprobs(model, examples, device).double().sum(dim=1)


class TokenLogprobs(torch.autograd.Function):
    """Log-probabilities of tokens from hidden states through a frozen vocabulary layer, keeping no logits.

    The gradient of a token's log-probability is its row of the layer minus the mean row under the softmax. Taking it at
    once, some rows at a time, needs memory for those rows alone, where autograd keeps K x V logits until the way back.
    """

    @staticmethod
    def forward(context: Any, hidden_KD: Tensor, weight_VD: Tensor, bias_V: Tensor | None, targets_K: Tensor) -> Tensor:
        """Return logprobs_K in float32."""
        wanted, n_rows = context.needs_input_grad[0], max(1, MAX_LOGITS // len(weight_VD))
        logprobs, gradients = [], []
        for hidden_RD, targets_R in zip(hidden_KD.split(n_rows), targets_K.split(n_rows), strict=True):
            log_RV = torch.log_softmax(functional.linear(hidden_RD, weight_VD, bias_V).float(), dim=-1)
            logprobs.append(log_RV.gather(1, targets_R.unsqueeze(1)).squeeze(1))
            if wanted:
                gradients.append((weight_VD[targets_R] - log_RV.exp_() @ weight_VD).to(hidden_KD.dtype))
        if wanted:
            context.save_for_backward(torch.cat(gradients))
        return torch.cat(logprobs)

    @staticmethod
    def backward(context: Any, gradient_K: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of the hidden states; the layer and the tokens have none."""
        (gradient_KD,) = context.saved_tensors
        return gradient_K.unsqueeze(1).to(gradient_KD.dtype) * gradient_KD, None, None, None


@torch.no_grad()
def sequence_logprobs(model: Any, examples: Sequence[Example], device: Device) -> Tensor:
    """Return logprobs_N, the summed log-probability of each answer, in float64 on the CPU, in the order given."""
    result_N = torch.zeros(len(examples), dtype=torch.float64)
    budget = token_budget(device, causal_lm(model).config.get_text_config().vocab_size)
    groups = pack([len(example) for example in examples], max_tokens=budget)
    found = map_parts(device, lambda group: answer_sums(model, [examples[i] for i in group], device).cpu(), groups)
    for group, sums_B in zip(groups, found, strict=True):
        result_N[group] = sums_B
    return result_N
