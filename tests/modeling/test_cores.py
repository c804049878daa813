import torch

from modeling.device import pick_device
from modeling.model.cores import backward_parts, map_parts
from modeling.model.dropout import Dropout, dropout_seeded

CPU = pick_device()


def test_parts_come_back_in_order_with_the_callers_gradient_mode():
    with torch.no_grad():
        found = list(map_parts(CPU, lambda part: (part, torch.is_grad_enabled()), range(8)))
    assert found == [(part, False) for part in range(8)]


def test_gradients_of_parts_add_up_to_those_of_the_batch():
    torch.manual_seed(0)
    rows, weight = torch.randn(8, 5), torch.randn(5, requires_grad=True)
    losses = backward_parts(CPU, {"weight": weight}, lambda row: ((row @ weight) ** 2, row), list(rows))
    split = weight.grad.clone()
    weight.grad = None
    ((rows @ weight) ** 2).sum().backward()
    torch.testing.assert_close(split, weight.grad)
    assert [row.tolist() for row in losses] == rows.tolist()


def test_gradients_are_added_to_those_there_already_and_missing_ones_stay_missing():
    used, unused = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    for _ in range(2):
        backward_parts(CPU, {"used": used, "unused": unused}, lambda part: (used.sum() * part, None), [1.0, 2.0])
    assert used.grad.tolist() == [6, 6]
    assert unused.grad is None


def test_dropout_drops_its_share_and_keeps_the_mean():
    dropout = Dropout(0.3).train()
    with dropout_seeded(5, CPU):
        values = dropout(torch.ones(100_000))
    assert abs(float((values == 0).float().mean()) - 77 / 256) < 0.01
    assert abs(float(values.mean()) - 1) < 0.01
    assert len(values.unique()) == 2


def test_dropout_follows_its_seed_in_any_thread_and_any_order():
    dropout, values = Dropout(0.5).train(), torch.ones(1_000)

    def drop(seed):
        with dropout_seeded(seed, CPU):
            return dropout(values)

    together = list(map_parts(CPU, drop, [3, 1, 2, 3]))
    assert torch.equal(together[0], together[3])
    assert torch.equal(together[1], drop(1))
    assert not torch.equal(together[1], together[2])


def test_dropout_of_nothing_of_everything_and_in_use():
    values = torch.arange(5.0)
    assert Dropout(0.0).train()(values) is values
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(1.0).train()(values).tolist() == [0] * 5
