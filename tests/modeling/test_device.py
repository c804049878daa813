import random

import numpy as np
import torch

from modeling.device import Device, pick_device, seed_everything, versions


def test_float32_and_bfloat16_are_named_as_results_record_them():
    cpu = torch.device("cpu")
    assert (Device(cpu, None).name, Device(cpu, None).dtype_name, Device(cpu, None).bf16) == ("cpu", "float32", False)
    assert (Device(cpu, torch.bfloat16).dtype_name, Device(cpu, torch.bfloat16).bf16) == ("bfloat16", True)


def test_products_run_in_the_autocast_dtype_and_weights_stay_float32():
    layer, ones = torch.nn.Linear(4, 4), torch.ones(1, 4)
    for dtype, expected in ((None, torch.float32), (torch.bfloat16, torch.bfloat16)):
        with Device(torch.device("cpu"), dtype).autocast():
            assert layer(ones).dtype == expected
    assert layer.weight.dtype == torch.float32


def test_bfloat16_is_chosen_only_where_the_processor_multiplies_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for has, dtype in ((True, torch.bfloat16), (False, None)):
        monkeypatch.setattr("modeling.device._cpu_multiplies_bf16", lambda has=has: has)
        assert pick_device("pretrain").autocast_dtype is dtype
        assert pick_device("reward").autocast_dtype is None  # in bfloat16 every new shape would keep memory


def test_seeding_reaches_every_generator():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002 - what trl draws from

    seed_everything(3)
    first = draw()
    seed_everything(3)
    assert draw() == first


def test_versions_name_what_results_depend_on():
    assert {"python", "torch", "transformers", "peft", "tokenizers"} <= set(versions())
