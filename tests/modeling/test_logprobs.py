import math

import pytest
import torch

from modeling.model import logprobs
from modeling.model.adapters import new_adapter
from modeling.model.base import load_base
from modeling.model.batching import Example
from modeling.model.logprobs import answer_sums, causal_lm, sequence_logprobs
from modeling.spec import LoraSpec
from tests.modeling.conftest import fill

EXAMPLES = [Example((1, 2, 3), (4, 5)), Example((6,), (7, 8, 9, 10)), Example((1, 2), (3,))]


@pytest.fixture
def model(loud_base, cpu):
    adapted = new_adapter(load_base(loud_base, cpu), LoraSpec(rank=2, alpha=4), seed=3)
    fill(adapted, 3)
    return adapted


def by_autograd(model, example):
    """The plain way: transformers' own logits, one sequence at a time."""
    ids = torch.tensor([example.tokens])
    log_probs = torch.log_softmax(causal_lm(model)(input_ids=ids).logits[0].double(), dim=-1)
    first = len(example.prompt)
    return sum(log_probs[position - 1, ids[0, position]] for position in range(first, len(example)))


@pytest.mark.parametrize("max_logits", [1, 700, 2**26])
def test_sums_and_their_gradients_are_those_of_plain_autograd(model, cpu, monkeypatch, max_logits):
    monkeypatch.setattr(logprobs, "MAX_LOGITS", max_logits)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    coefficients = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    ours = answer_sums(model, EXAMPLES, cpu)
    plain = torch.stack([by_autograd(model, example) for example in EXAMPLES])
    assert ours.tolist() == pytest.approx(plain.tolist(), rel=1e-5)
    mine = torch.autograd.grad((coefficients * ours).sum(), parameters)
    theirs = torch.autograd.grad((coefficients * plain).sum(), parameters)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


def test_sequence_logprobs_come_in_the_order_given(model, cpu):
    found = sequence_logprobs(model, EXAMPLES, cpu)
    assert found.tolist() == pytest.approx([by_autograd(model, example).item() for example in EXAMPLES], rel=1e-5)
    assert all(value < 0 and math.isfinite(value) for value in found.tolist())
