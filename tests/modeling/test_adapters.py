import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from modeling.errors import BadInput
from modeling.model.adapter_files import adapter_sha256
from modeling.model.adapter_switching import adapter_active, adapter_fused
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.spec import LoraSpec
from tests.modeling.conftest import make_tiny_llama

TOKENS = torch.arange(10)[None]
SHA = "a" * 64


def train_a_little(model, seed=7):
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3, generator=generator)
    return model


@pytest.fixture
def adapted(tiny_llama):
    return train_a_little(new_adapter(tiny_llama, LoraSpec(rank=4), seed=1)).eval()


@pytest.fixture
def folder(adapted, tmp_path):
    save_adapter(adapted, tmp_path / "adapter", base_sha256=SHA)
    return tmp_path / "adapter"


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_fresh_adapter_changes_nothing_and_leaves_the_global_generator_alone(tiny_llama):
    before, state = tiny_llama(TOKENS).logits, torch.get_rng_state()
    adapted = new_adapter(tiny_llama, LoraSpec(rank=4), seed=1)
    assert torch.equal(adapted(TOKENS).logits, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_only_the_adapter_is_trainable_and_embeddings_and_output_layer_have_none(tiny_llama):
    adapted = new_adapter(tiny_llama, LoraSpec(rank=4), seed=1)
    trainable = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert trainable
    assert all(".lora_" in name for name in trainable)
    assert not [name for name in trainable if "lm_head" in name or "embed" in name]


def test_attention_targets_leave_the_rest_alone(tiny_llama):
    adapted = new_adapter(tiny_llama, LoraSpec(rank=4, targets="attention"), seed=1)
    assert adapted.peft_config["default"].target_modules == {"q_proj", "k_proj", "v_proj", "o_proj"}


def test_a_saved_adapter_loads_with_plain_peft(adapted, folder, tokenizer):
    loaded = PeftModel.from_pretrained(make_tiny_llama(tokenizer), folder)
    assert torch.equal(loaded(TOKENS).logits, adapted(TOKENS).logits)


def test_an_adapter_saved_by_plain_peft_loads_here(adapted, tmp_path, tokenizer):
    adapted.save_pretrained(tmp_path / "plain")
    loaded = load_adapter(make_tiny_llama(tokenizer), tmp_path / "plain", base_sha256=SHA)
    assert torch.equal(loaded(TOKENS).logits, adapted(TOKENS).logits)


def test_loaded_and_saved_again_the_bytes_are_the_same(folder, tmp_path, tokenizer):
    loaded = load_adapter(make_tiny_llama(tokenizer), folder, name="other")
    save_adapter(loaded, tmp_path / "again", base_sha256=SHA, name="other")
    assert files_of(tmp_path / "again") == files_of(folder)
    assert adapter_sha256(tmp_path / "again") == adapter_sha256(folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["", "rslora=True, dora=True, dropout=0.1"])
def test_two_processes_write_the_same_bytes(tmp_path, tiny_base, kind):
    program = (
        "import sys; from modeling.device import pick_device; from modeling.model.base import load_base\n"
        "from modeling.model.adapters import new_adapter, save_adapter; from modeling.spec import LoraSpec\n"
        f"model = new_adapter(load_base(sys.argv[1], pick_device()), LoraSpec(rank=4, {kind}), seed=3)\n"
        "save_adapter(model, sys.argv[2], base_sha256='b')\n"
    )
    for hash_seed in ("1", "2"):
        subprocess.run(
            [sys.executable, "-c", program, tiny_base, tmp_path / hash_seed],
            check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed}, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    assert files_of(tmp_path / "1") == files_of(tmp_path / "2")


def test_the_folder_names_no_path_and_everybody_may_read_it(folder, tiny_base, tmp_path):
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o644
        assert str(tmp_path).encode() not in path.read_bytes()
    assert json.loads((folder / "adapter_meta.json").read_text())["base_sha256"] == SHA


def test_continuing_beside_a_reference_saves_only_the_named_adapter(folder, tmp_path, tokenizer):
    model = load_adapter(make_tiny_llama(tokenizer), folder, trainable=True)
    model = load_adapter(model, folder, name="ref")
    save_adapter(model, tmp_path / "out", base_sha256=SHA)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in folder.iterdir())
    assert not [key for key in load_file(tmp_path / "out" / "adapter_model.safetensors") if "ref" in key]


def test_a_loaded_adapter_is_frozen_unless_it_shall_be_trained(folder, tokenizer):
    frozen = load_adapter(make_tiny_llama(tokenizer), folder)
    assert not [name for name, weight in frozen.named_parameters() if ".lora_" in name and weight.requires_grad]
    trainable = load_adapter(make_tiny_llama(tokenizer), folder, trainable=True)
    assert [name for name, weight in trainable.named_parameters() if weight.requires_grad]


def test_an_adapter_of_another_base_is_refused(folder, tokenizer):
    model = make_tiny_llama(tokenizer)
    with pytest.raises(BadInput, match="another base"):
        load_adapter(model, folder, base_sha256="c" * 64)


def test_an_adapter_of_another_shape_is_refused_and_leaves_nothing_behind(folder, tokenizer):
    model = make_tiny_llama(tokenizer, seed=1)
    for layer in model.model.layers:
        layer.mlp.up_proj = torch.nn.Linear(16, 48, bias=False)
        layer.mlp.gate_proj = torch.nn.Linear(16, 48, bias=False)
        layer.mlp.down_proj = torch.nn.Linear(48, 16, bias=False)
    before = model(TOKENS).logits
    with pytest.raises(BadInput, match="another shape"):
        load_adapter(model, folder)
    assert torch.equal(model(TOKENS).logits, before)
    assert not [name for name, _ in model.named_modules() if "lora" in name]


def test_a_refused_second_adapter_leaves_the_first(folder, tmp_path, tokenizer):
    model = load_adapter(make_tiny_llama(tokenizer), folder, name="first")
    weights = load_file(folder / "adapter_model.safetensors")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "adapter_config.json").write_bytes((folder / "adapter_config.json").read_bytes())
    save_file(dict(list(weights.items())[1:]), broken / "adapter_model.safetensors")
    before = model(TOKENS).logits
    with pytest.raises(BadInput, match="it has no"):
        load_adapter(model, broken, name="second")
    assert list(model.peft_config) == ["first"]
    assert torch.equal(model(TOKENS).logits, before)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("peft_type", "IA3", "only LORA"),
        ("megatron_config", {"a": 1}, "megatron_config cannot be loaded"),
        ("eva_config", {"rho": 2}, "eva_config cannot be loaded"),
        ("layer_replication", [[0, 2]], "layer_replication cannot be loaded"),
        ("exclude_modules", "(a+)+$", "exclude_modules cannot be loaded"),
        ("r", 0, "r"),
    ],
)
def test_a_configuration_that_asks_for_more_than_lora_is_refused(folder, tokenizer, field, value, reason):
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(BadInput, match=reason):
        load_adapter(make_tiny_llama(tokenizer), folder)


def test_a_pattern_of_target_modules_is_never_run(adapted, folder, tokenizer):
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": "(((a+)+)+)+$"}))
    (folder / "adapter_meta.json").unlink()
    loaded = load_adapter(make_tiny_llama(tokenizer), folder)
    assert torch.equal(loaded(TOKENS).logits, adapted(TOKENS).logits)


def test_pickled_weights_are_never_loaded(folder, tokenizer):
    weights = load_file(folder / "adapter_model.safetensors")
    (folder / "adapter_model.safetensors").unlink()
    torch.save(weights, folder / "adapter_model.bin")
    with pytest.raises(BadInput, match="convert them to safetensors"):
        load_adapter(make_tiny_llama(tokenizer), folder)


def test_an_adapter_wrapped_twice_is_refused_both_ways(adapted, folder, tokenizer):
    weights = load_file(folder / "adapter_model.safetensors")
    save_file(
        {f"base_model.model.{key}": value for key, value in weights.items()}, folder / "adapter_model.safetensors"
    )
    with pytest.raises(BadInput, match="wrapped twice"):
        load_adapter(make_tiny_llama(tokenizer), folder)
    with pytest.raises(BadInput, match="adapted again"):
        new_adapter(adapted.get_base_model(), LoraSpec(), seed=0)


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_file_that_was_changed_after_it_was_written_is_refused(folder, tokenizer, file):
    if file.endswith(".json"):
        config = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**config, "lora_alpha": 64}))
    else:
        weights = load_file(folder / file)
        save_file({key: value * 2 for key, value in weights.items()}, folder / file)
    with pytest.raises(BadInput, match=f"{file} has changed since the adapter was written"):
        load_adapter(make_tiny_llama(tokenizer), folder)


def test_hashes_that_are_no_hashes_are_refused(folder, tokenizer):
    (folder / "adapter_meta.json").write_text(json.dumps({"sha256": "adapter_config.json"}))
    with pytest.raises(BadInput, match="'sha256' must be an object"):
        load_adapter(make_tiny_llama(tokenizer), folder)


def test_an_adapter_cut_off_by_a_kill_is_refused_wherever_it_was_cut(folder, tokenizer, adapted, tmp_path):
    """The order of writing is meta, config, weights."""
    whole = files_of(folder)
    for kept, half in (
        ([], "adapter_meta.json"), (["adapter_meta.json"], "adapter_config.json"),
        (["adapter_meta.json", "adapter_config.json"], "adapter_model.safetensors"),
    ):  # fmt: skip
        cut = tmp_path / f"cut-{half}"
        cut.mkdir()
        for name in kept:
            (cut / name).write_bytes(whole[name])
        (cut / half).write_bytes(whole[half][: len(whole[half]) // 2])
        with pytest.raises(BadInput, match=r"is not JSON|does not exist|is not a safetensors file"):
            load_adapter(make_tiny_llama(tokenizer), cut)


def test_numbers_that_are_not_finite_are_refused(folder, tokenizer):
    weights = load_file(folder / "adapter_model.safetensors")
    next(iter(weights.values()))[0, 0] = torch.nan
    save_file(weights, folder / "adapter_model.safetensors")
    with pytest.raises(BadInput, match="not finite"):
        load_adapter(make_tiny_llama(tokenizer), folder)


def test_switching_is_undone_with_its_gradients(folder, tokenizer):
    model = make_tiny_llama(tokenizer)
    base = model(TOKENS).logits
    model = load_adapter(model, folder, name="first", trainable=True)
    first = model(TOKENS).logits
    model = load_adapter(model, folder, name="second")
    model.set_adapter("first")
    flags = {name: weight.requires_grad for name, weight in model.named_parameters()}
    with adapter_active(model, None):
        assert torch.equal(model(TOKENS).logits, base)
    with adapter_active(model, "second"):
        assert not [name for name, weight in model.named_parameters() if weight.requires_grad]
        assert torch.equal(model(TOKENS).logits, first)
    assert model.active_adapter == "first"
    assert {name: weight.requires_grad for name, weight in model.named_parameters()} == flags


def test_folding_computes_the_same_and_gives_the_base_back_bit_for_bit(adapted):
    weights = {name: weight.clone() for name, weight in adapted.state_dict().items()}
    plain = adapted(TOKENS).logits
    with torch.inference_mode(), adapter_fused(adapted):
        assert torch.allclose(adapted(TOKENS).logits, plain, atol=1e-5)
        assert not torch.equal(
            adapted.get_base_model().model.layers[0].mlp.up_proj.weight, weights_of(adapted, weights)
        )
    assert all(torch.equal(weight, weights[name]) for name, weight in adapted.state_dict().items())
    adapted(TOKENS).logits.sum().backward()  # what was folded inside inference mode can still be trained


def weights_of(adapted, weights):
    return weights["base_model.model.model.layers.0.mlp.up_proj.base_layer.weight"]
