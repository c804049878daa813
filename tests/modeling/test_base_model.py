import json
import shutil

import pytest
import torch

from modeling.errors import BadInput
from modeling.model.base import base_sha256, load_base, load_tokenizer


@pytest.fixture
def base_copy(tiny_base, tmp_path):
    return shutil.copytree(tiny_base, tmp_path / "base")


def test_a_base_is_loaded_in_float32_with_fast_attention(tiny_base, cpu):
    model = load_base(tiny_base, cpu)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config._attn_implementation == "sdpa"


def test_weights_that_can_run_code_are_not_read(base_copy, cpu):
    (base_copy / "model.safetensors").unlink()
    torch.save({}, base_copy / "pytorch_model.bin")
    with pytest.raises(BadInput, match="holds no "):
        load_base(base_copy, cpu)


def test_a_models_own_code_never_runs(base_copy, cpu):
    config = json.loads((base_copy / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}}
    (base_copy / "config.json").write_text(json.dumps(config))
    (base_copy / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(BadInput, match="is not a causal language model"):
        load_base(base_copy, cpu)


def test_a_tokenizer_without_a_chat_template_is_refused(base_copy):
    (base_copy / "chat_template.jinja").unlink()
    with pytest.raises(BadInput, match="needs a chat template"):
        load_tokenizer(base_copy)


def test_an_empty_folder_is_refused(tmp_path, cpu):
    for load in (lambda: load_base(tmp_path, cpu), lambda: load_tokenizer(tmp_path)):
        with pytest.raises(BadInput):
            load()


def test_the_hash_is_of_what_the_base_computes_not_of_where_it_lies(tiny_base, base_copy):
    before = base_sha256(tiny_base)
    (base_copy / "notes.md").write_text("hello")
    assert base_sha256(base_copy) == before
    with (base_copy / "model.safetensors").open("ab") as file:
        file.write(b" ")
    assert base_sha256(base_copy) != before
