"""Log-probabilities of given answers under a causal language model and whatever adapter is active in it.

Shapes: B sequences, T tokens, D hidden width, A answer tokens (padded), K answer tokens of all sequences in a row,
V vocabulary. Only the positions that predict answer tokens reach the vocabulary layer: the prompt's logits are never
computed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from modeling.device import Device
from modeling.model.batching import Example, pack, pad_right, token_budget
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


def answer_logprobs(model: Any, examples: Sequence[Example], device: Device) -> tuple[Tensor, Tensor]:
    """Return (logprobs_BA, entropies_BA) in float32, zero after each answer's end; gradients flow through the first."""
    ids_BT = pad_right([example.tokens for example in examples], device=device.torch_device)
    rows_K, columns_K = answer_positions(examples, device)
    with device.autocast():
        hidden_KD = hidden_states(model, ids_BT)[rows_K, columns_K - 1]
        logits_KV = causal_lm(model).get_output_embeddings()(hidden_KD)
    log_KV = torch.log_softmax(logits_KV.float(), dim=-1)
    logprobs_K = log_KV.gather(1, ids_BT[rows_K, columns_K].unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        entropies_K = -(log_KV.exp() * log_KV).sum(dim=-1)
    lengths = [len(example.answer) for example in examples]
    return (
        pad_sequence(list(logprobs_K.split(lengths)), batch_first=True),
        pad_sequence(list(entropies_K.split(lengths)), batch_first=True),
    )


@torch.no_grad()
def sequence_logprobs(model: Any, examples: Sequence[Example], device: Device) -> Tensor:
    """Return logprobs_N, the summed log-probability of each answer, in float64 on the CPU, in the order given."""

    def sums_of(group: list[int]) -> Tensor:
        logprobs_BA, _ = answer_logprobs(model, [examples[i] for i in group], device)
        return logprobs_BA.double().sum(dim=1).cpu()

    result_N = torch.zeros(len(examples), dtype=torch.float64)
    budget = token_budget(device, causal_lm(model).config.get_text_config().vocab_size)
    groups = pack([len(example) for example in examples], max_tokens=budget)
    for group, sums_B in zip(groups, map_parts(device, sums_of, groups), strict=True):
        result_N[group] = sums_B
    return result_N
