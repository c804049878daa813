"""How a step's answers are read under an adapter: the log-probability of each token, and the state that predicts it.

In the precision of the sampler, so that log policy - log reference of equal models is zero and not the rounding of one
of them.

Shapes: N answers, A answer tokens (padded on the right), K answer tokens of all answers in a row, D hidden width.
"""

from collections.abc import Callable

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from modeling.device import Device, pick_device
from modeling.model.adapter_switching import adapter_active
from modeling.model.batching import Example, pack, token_budget
from modeling.model.cores import map_parts
from modeling.model.logprobs import answer_states, causal_lm, token_logprobs
from modeling.training.rollouts import Answers

AGREED_DECIMALS = 3
"""Log-probabilities of the sampler and of a pass over whole answers agree to 1e-4 nats; finer differences are rounding.
Where nothing else is rewarded, whitening and Adam would make full steps of it."""


@torch.no_grad()
def reference_read(
    model: PeftModel, adapter: str | None, answers: Answers, *, max_tokens: int = 0
) -> tuple[Tensor, Tensor]:
    """Return (logprobs_NA, states_KD) under the adapter, or under the bare base for None; both in float32."""
    device = pick_device()

    def read(part: list[Example]) -> tuple[Tensor, Tensor]:
        states_KD, tokens_K = answer_states(model, part, device)
        return token_logprobs(model, states_KD, tokens_K, device), states_KD.float()

    found = _by_answer(model, adapter, answers, read, device, max_tokens=max_tokens)
    logprobs, states = [each[0] for each in found], [each[1] for each in found]
    return pad_sequence(logprobs, batch_first=True), torch.cat(states)


@torch.no_grad()
def states_read(model: PeftModel, adapter: str, answers: Answers, *, max_tokens: int = 0) -> Tensor:
    """Return states_KD in float32: those before each answer token, under the adapter."""
    device = pick_device()

    def read(part: list[Example]) -> tuple[Tensor]:
        return (answer_states(model, part, device)[0].float(),)

    return torch.cat([states for (states,) in _by_answer(model, adapter, answers, read, device, max_tokens=max_tokens)])


def _by_answer(
    model: PeftModel,
    adapter: str | None,
    answers: Answers,
    read: Callable[[list[Example]], tuple[Tensor, ...]],
    device: Device,
    *,
    max_tokens: int,
) -> list[tuple[Tensor, ...]]:
    """Return what `read` finds for the tokens of each answer, in the answers' order, some answers in each pass."""
    examples = answers.examples
    vocab_size = causal_lm(model).config.get_text_config().vocab_size
    groups = pack([len(each) for each in examples], max_tokens=max_tokens or token_budget(device, vocab_size))
    found: list[tuple[Tensor, ...]] = [()] * len(examples)
    model.eval()
    with adapter_active(model, adapter):
        parts = map_parts(device, lambda group: read([examples[row] for row in group]), groups)
        for group, tensors in zip(groups, parts, strict=True):
            lengths = [len(examples[row].answer) for row in group]
            for row, *each in zip(group, *(tensor.split(lengths) for tensor in tensors), strict=True):
                found[row] = tuple(each)
    return found


def log_ratios(answers: Answers, reference_NA: Tensor) -> Tensor:
    """Return log policy - log reference of each token (N, A); what is but rounding is exactly zero."""
    return (answers.logprobs - reference_NA).round(decimals=AGREED_DECIMALS)
