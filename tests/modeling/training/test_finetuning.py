import math

import pytest
import torch

from modeling.device import Device
from modeling.model.adapters import new_adapter
from modeling.model.dropout import train_mode
from modeling.rundir import RunDir
from modeling.spec import LoraSpec, SFTSpec
from modeling.training.finetuning import FineTuning, learnt_loss
from modeling.training.rows import Row
from modeling.training.state import trainable_parameters

ROWS = [
    Row((1, 7, 8, 20, 21, 5), (3, 4, 5)),
    Row((1, 9), (1,)),
    Row((2, 30, 31, 32, 33, 34, 35, 36), (2, 3, 6, 7), weight=0.5),
]
SPEC = SFTSpec(base="", dialogues=(), batch_size=3, learning_rate=1e-2, epochs=1)


def test_the_loss_is_minus_the_log_probability_of_the_learnt_tokens_one_by_one(tiny_llama, cpu):
    expected = 0.0
    for row in ROWS:
        log_probs = tiny_llama(input_ids=torch.tensor([row.tokens])).logits[0].log_softmax(-1)
        expected -= row.weight * sum(log_probs[place - 1, row.tokens[place]].item() for place in row.learnt)
    assert learnt_loss(tiny_llama, ROWS, cpu).item() == pytest.approx(expected, rel=1e-5)


def test_a_row_never_sees_another(tiny_llama, cpu):
    """Not forwards: another neighbour changes nothing. Not backwards: no gradient reaches the neighbour's tokens."""
    alone = learnt_loss(tiny_llama, ROWS[:1], cpu).item()
    for neighbour in (Row((40, 41, 42, 43, 44, 45, 46, 47, 48), ()), Row((50,), ()), Row(ROWS[2].tokens, ())):
        for rows in ([ROWS[0], neighbour], [neighbour, ROWS[0]]):
            assert learnt_loss(tiny_llama, rows, cpu).item() == pytest.approx(alone, rel=1e-5)
    embedded = []

    def keep(_module, _inputs, output):
        output.retain_grad()
        embedded.append(output)

    hook = tiny_llama.model.embed_tokens.register_forward_hook(keep)
    learnt_loss(tiny_llama, [ROWS[0], Row(ROWS[2].tokens, ())], cpu).backward()
    hook.remove()
    assert embedded[0].grad[0, :5].abs().sum() > 0
    assert embedded[0].grad[0, 5:].abs().sum() == 0  # the last learnt token, and padding
    assert embedded[0].grad[1].abs().sum() == 0


def test_the_gradients_of_a_batch_do_not_depend_on_how_it_is_cut_into_parts(tiny_llama, cpu, tmp_path, monkeypatch):
    gradients = []
    for share in (1.0, 0.25):
        monkeypatch.setattr("modeling.training.finetuning.PART_SHARE", share)
        tuning = FineTuning(SPEC, RunDir(tmp_path / str(share)), tiny_llama, cpu)
        seen = {}
        monkeypatch.setattr(
            tuning.optimizer, "step",
            lambda tuning=tuning, seen=seen: seen.update(
                {name: parameter.grad.clone() for name, parameter in tuning.parameters.items()}
            ),
        )  # fmt: skip
        loss, _ = tuning._step(0, ROWS, 1.0)
        gradients.append((loss, seen, tuning._parts(ROWS)))
    (loss, whole, one), (same_loss, parts, several) = gradients
    assert len(several) > len(one)
    assert loss == pytest.approx(same_loss, rel=1e-6)
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-6, rtol=1e-4)


def test_a_batch_of_many_tokens_and_one_of_few_count_each_token_the_same(tiny_llama, cpu, tmp_path):
    tuning = FineTuning(SPEC, RunDir(tmp_path), tiny_llama, cpu)
    total = sum(row.weight * len(row.learnt) for row in ROWS)
    expected = learnt_loss(tiny_llama, ROWS, cpu).item() / total
    assert tuning._step(0, ROWS, 0.0)[0] == pytest.approx(expected, rel=1e-5)


def test_an_adapters_dropout_drops_while_it_trains_and_follows_the_step(tiny_llama, cpu, tmp_path):
    model = new_adapter(tiny_llama, LoraSpec(rank=2, dropout=0.5), seed=0)
    with torch.no_grad():
        for parameter in trainable_parameters(model).values():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    tuning = FineTuning(SPEC, RunDir(tmp_path), model, cpu)
    still = learnt_loss(model.eval(), ROWS, cpu).item()
    losses = []
    tuning._step = lambda step, *_: (losses.append(FineTuning._step(tuning, step, ROWS, 0.0)[0]) or losses[-1], 0.0)
    tuning.train(ROWS * 3, {"step": 0})
    assert len(set(losses)) == len(losses) == 3
    again = FineTuning(SPEC, RunDir(tmp_path), model, cpu)
    assert again._step(1, ROWS, 0.0)[0] == losses[1]
    assert not any(math.isclose(loss, still) for loss in losses)


def test_a_bases_own_dropout_stays_off(tiny_llama, cpu):
    tiny_llama.model.layers[0].mlp.act_fn = torch.nn.Sequential(torch.nn.SiLU(), torch.nn.Dropout(0.5))
    expected = learnt_loss(tiny_llama.eval(), ROWS, cpu).item()
    train_mode(tiny_llama)
    assert learnt_loss(tiny_llama, ROWS, cpu).item() == expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.gpu
def test_on_a_gpu_a_batch_is_one_part(tiny_llama, tmp_path):
    tuning = FineTuning(SPEC, RunDir(tmp_path), tiny_llama.cuda(), Device(torch.device("cuda", 0), None))
    assert len(tuning._parts(ROWS)) == 1
