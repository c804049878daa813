"""Rank-stabilised, decomposed and dropping adapters, through every way in which we compute with one."""

import json

import pytest
import torch
from peft import PeftModel

from modeling.errors import BadInput
from modeling.model.adapter_switching import adapter_active, adapter_fused
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import load_base
from modeling.model.batching import Example
from modeling.model.cores import backward_parts
from modeling.model.dropout import dropout_seeded
from modeling.model.reward import reward_model_load, reward_model_new, reward_model_save
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import LoraSpec
from modeling.training.state import trainable_parameters
from tests.modeling.conftest import make_tiny_llama

TOKENS = torch.arange(20).view(2, 10)
KINDS = {
    "plain": LoraSpec(rank=4),
    "rslora": LoraSpec(rank=4, rslora=True),
    "dora": LoraSpec(rank=4, dora=True),
    "both": LoraSpec(rank=4, rslora=True, dora=True),
}


def disturbed(model, seed=7):
    """Move every part of an adapter away from where it started."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name or "lora_magnitude" in name:
                weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.2)
    return model


@pytest.fixture(params=KINDS)
def lora(request):
    return KINDS[request.param]


@pytest.fixture
def adapted(tiny_llama, lora):
    return disturbed(new_adapter(tiny_llama, lora, seed=1)).eval()


def test_rank_stabilised_scaling_divides_by_the_root_of_the_rank(tokenizer):
    stable = disturbed(new_adapter(make_tiny_llama(tokenizer), LoraSpec(rank=4, alpha=2, rslora=True), seed=1))
    plain = disturbed(new_adapter(make_tiny_llama(tokenizer), LoraSpec(rank=4, alpha=4), seed=1))
    assert torch.equal(stable(TOKENS).logits, plain(TOKENS).logits)


def test_a_fresh_adapter_computes_what_the_base_computes_also_in_bfloat16(tiny_llama, lora):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = tiny_llama(TOKENS).logits
        assert torch.equal(new_adapter(tiny_llama, lora, seed=1)(TOKENS).logits, before)


def test_plain_peft_computes_the_same_from_the_saved_folder(adapted, lora, tmp_path, tokenizer):
    save_adapter(adapted, tmp_path / "adapter", base_sha256="a")
    theirs = PeftModel.from_pretrained(make_tiny_llama(tokenizer), tmp_path / "adapter").eval()
    torch.testing.assert_close(theirs(TOKENS).logits, adapted(TOKENS).logits)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert (config["use_rslora"], config["use_dora"]) == (lora.rslora, lora.dora)


def test_loaded_and_saved_again_the_bytes_are_the_same(adapted, tmp_path, tokenizer):
    save_adapter(adapted, tmp_path / "first", base_sha256="a")
    loaded = load_adapter(make_tiny_llama(tokenizer), tmp_path / "first", name="other")
    assert torch.equal(loaded(TOKENS).logits, adapted(TOKENS).logits)
    save_adapter(loaded, tmp_path / "second", base_sha256="a", name="other")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes(), file.name


def test_folding_computes_the_same_and_gives_the_base_back_bit_for_bit(adapted):
    weights = {name: weight.clone() for name, weight in adapted.state_dict().items()}
    plain = adapted(TOKENS).logits
    with torch.inference_mode(), adapter_fused(adapted):
        torch.testing.assert_close(adapted(TOKENS).logits, plain, atol=1e-5, rtol=1e-5)
    assert all(torch.equal(weight, weights[name]) for name, weight in adapted.state_dict().items())
    assert torch.equal(adapted(TOKENS).logits, plain)


def test_switched_off_it_is_the_base(adapted, tokenizer):
    with adapter_active(adapted, None):
        assert torch.equal(adapted(TOKENS).logits, make_tiny_llama(tokenizer)(TOKENS).logits)


def test_merged_it_is_a_plain_model_that_computes_the_same(adapted):
    expected = adapted(TOKENS).logits
    torch.testing.assert_close(adapted.merge_and_unload()(TOKENS).logits, expected, atol=1e-5, rtol=1e-5)


def test_gradients_of_parts_on_two_cores_add_up_to_those_of_the_batch(adapted, cpu):
    parameters = trainable_parameters(adapted)

    def loss_of(rows):
        return adapted(rows).logits.logsumexp(-1).sum(), None

    loss_of(TOKENS)[0].backward()
    whole = {name: parameter.grad for name, parameter in parameters.items()}
    for parameter in parameters.values():
        parameter.grad = None
    backward_parts(cpu, parameters, loss_of, [TOKENS[:1], TOKENS[1:]])
    assert any("lora_magnitude" in name for name in whole) == (adapted.peft_config["default"].use_dora)
    for name, parameter in parameters.items():
        torch.testing.assert_close(parameter.grad, whole[name], atol=1e-5, rtol=1e-4)


def test_the_sampler_answers_as_the_merged_model_does(loud_base, lora, tokenizer, cpu):
    adapted = disturbed(new_adapter(load_base(loud_base, cpu), lora, seed=1)).eval()
    prompts, settings = [[1, 7, 8], [1, 9]], DecodingSettings(max_new_tokens=8)
    found = Sampler(adapted, tokenizer, cpu).sample(prompts, settings, [1, 2])
    merged = Sampler(adapted.merge_and_unload(), tokenizer, cpu).sample(prompts, settings, [1, 2])
    assert [answer.token_ids for answer in found] == [answer.token_ids for answer in merged]


def test_a_reward_model_keeps_its_scores_through_its_files(tiny_base, lora, tmp_path, cpu):
    examples = [Example((1, 7, 8), (20, 21, 5)), Example((1,), (9,))]
    reward = reward_model_new(load_base(tiny_base, cpu), lora, cpu, seed=1)
    disturbed(reward.model)
    with torch.no_grad():
        for name, weight in reward.model.named_parameters():
            if weight.requires_grad and "score" in name:
                weight.fill_(0.5)
    scores = reward.score_all(examples)
    reward_model_save(reward, tmp_path / "reward", base_sha256="a")
    loaded = reward_model_load(load_base(tiny_base, cpu), tmp_path / "reward", cpu, base_sha256="a")
    assert scores.abs().min() > 0
    assert torch.equal(loaded.score_all(examples), scores)


# ---- DoRA against numbers worked out by hand ------------------------------------------------------------------------


def test_dora_scales_each_outputs_direction_to_its_magnitude(tiny_llama):
    layer = new_adapter(tiny_llama, LoraSpec(rank=1, alpha=2, dora=True), seed=0).get_submodule(
        "base_model.model.model.layers.0.self_attn.q_proj"
    )
    weight, low, high = (layer.base_layer.weight, layer.lora_A["default"].weight, layer.lora_B["default"].weight)
    with torch.no_grad():
        for tensor in (weight, low, high):
            tensor.zero_()
        weight[0, 0], weight[0, 2], low[0, 0], high[0, 0] = 2.0, 4.0, 1.0, 0.5
        weight[1:, 1] = 1.0
        layer.lora_magnitude_vector["default"].weight.fill_(10.0)
    x = torch.zeros(1, 16)
    x[0, 0], x[0, 1], x[0, 2] = 1.0, 2.0, 3.0
    # W + s B A = (2 + 2 * 0.5, 0, 4) with length 5: 10 / 5 * (3 + 12) = 30; the others 10 / 1 * 2 = 20.
    torch.testing.assert_close(layer(x), torch.tensor([[30.0, *[20.0] * 15]]))


# ---- Dropout --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dora", [False, True])
def test_adapter_dropout_really_drops_without_bias_and_only_while_training(tiny_llama, cpu, dora):
    model = disturbed(new_adapter(tiny_llama, LoraSpec(rank=4, dropout=0.5, dora=dora), seed=1)).train()
    layer = model.get_submodule("base_model.model.model.layers.0.self_attn.q_proj")
    x = torch.randn(1, 16, generator=torch.Generator().manual_seed(3))

    def output(seed):
        with torch.no_grad(), dropout_seeded(seed, cpu):
            return layer(x)

    assert torch.equal(output(1), output(1))
    assert not torch.equal(output(1), output(2))
    drawn = torch.cat([output(seed) for seed in range(4000)])
    layer.eval()
    assert torch.equal(output(1), output(2))
    error = (drawn.mean(dim=0) - output(1)[0]) / (drawn.std(dim=0) / len(drawn) ** 0.5)
    assert error.abs().max() < 4.5  # standard errors; 16 outputs


# ---- A base in 4 bits -----------------------------------------------------------------------------------------------


def test_four_bits_without_the_hardware_are_refused_before_the_base_is_read(cpu):
    with pytest.raises(BadInput, match=r"lora\.quantize '4bit' needs a CUDA device"):
        load_base("/nowhere", cpu, quantize="4bit")
