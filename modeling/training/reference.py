"""How the reference reads a step's answers: the log-probability of each token, and the state that predicts it.

In the precision of the sampler, so that log policy - log reference of equal models is zero and not the rounding of one
of them.

Shapes: N answers, A answer tokens (padded on the right), K answer tokens of all answers in a row, D hidden width.
"""

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from modeling.device import pick_device
from modeling.model.adapter_switching import adapter_active
from modeling.model.batching import pack, token_budget
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
    device, examples = pick_device(), answers.examples
    vocab_size = causal_lm(model).config.get_text_config().vocab_size
    groups = pack([len(each) for each in examples], max_tokens=max_tokens or token_budget(device, vocab_size))

    def read(group: list[int]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        part = [examples[row] for row in group]
        lengths = [len(example.answer) for example in part]
        states_KD, tokens_K = answer_states(model, part, device)
        logprobs_K = token_logprobs(model, states_KD, tokens_K, device)
        return logprobs_K.split(lengths), states_KD.float().split(lengths)

    model.eval()
    logprobs, states = [[torch.empty(0)] * len(examples) for _ in range(2)]
    with adapter_active(model, adapter):
        for group, found in zip(groups, map_parts(device, read, groups), strict=True):
            for row, logprobs_A, states_AD in zip(group, *found, strict=True):
                logprobs[row], states[row] = logprobs_A, states_AD
    return pad_sequence(logprobs, batch_first=True), torch.cat(states)


def log_ratios(answers: Answers, reference_NA: Tensor) -> Tensor:
    """Return log policy - log reference of each token (N, A); what is but rounding is exactly zero."""
    return (answers.logprobs - reference_NA).round(decimals=AGREED_DECIMALS)
