import json
import stat
import tarfile
import zipfile

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from modeling.adapters import cli
from modeling.adapters.comparing import _kl, layers_compare
from modeling.adapters.options import parser
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example
from modeling.sampling.sampler import Sampler
from modeling.spec import LoraSpec
from tests.modeling.stopping import folder_bytes
from tests.modeling.test_adapter_kinds import disturbed

TOKENS = torch.arange(10)[None]


@pytest.fixture(params=[LoraSpec(rank=4), LoraSpec(rank=2, rslora=True, dora=True)], ids=["lora", "rsdora"])
def lora(request):
    return request.param


@pytest.fixture
def make(loud_base, cpu, tmp_path):
    def make_adapter(name, lora, *, seed=1):
        model = disturbed(new_adapter(load_base(loud_base, cpu), lora, seed=seed), seed=seed)
        save_adapter(model, tmp_path / name, base_sha256=base_sha256(loud_base))
        return tmp_path / name

    return make_adapter


def tool(*arguments):
    return cli.main(parser().parse_args([str(argument) for argument in arguments]))


# ---- merge -----------------------------------------------------------------------------------------------------------


def test_a_merged_base_computes_what_base_and_adapter_computed(make, lora, loud_base, tmp_path, cpu):
    adapter, out = make("policy", lora), tmp_path / "merged"
    assert tool("merge", "--base", loud_base, "--adapter", adapter, "--out", out) == 0
    expected = load_adapter(load_base(loud_base, cpu), adapter)(TOKENS).logits
    merged = load_base(out, cpu)
    torch.testing.assert_close(merged(TOKENS).logits, expected, atol=1e-4, rtol=1e-4)
    assert load_tokenizer(out).get_vocab() == load_tokenizer(loud_base).get_vocab()
    assert (out / "tokenizer.json").read_bytes() == (loud_base / "tokenizer.json").read_bytes()
    assert {tensor.dtype for tensor in load_file(out / "model.safetensors").values()} == {torch.float32}
    assert base_sha256(out) != base_sha256(loud_base)
    assert json.loads((out / "merge_meta.json").read_text())["base_sha256"] == base_sha256(loud_base)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o644 for file in out.iterdir())


def test_a_merged_base_can_be_adapted_again(make, loud_base, tmp_path, cpu):
    out = tmp_path / "merged"
    tool("merge", "--base", loud_base, "--adapter", make("policy", LoraSpec(rank=2)), "--out", out)
    again = new_adapter(load_base(out, cpu), LoraSpec(rank=2), seed=0)
    assert torch.equal(again(TOKENS).logits, load_base(out, cpu)(TOKENS).logits)


def test_what_cannot_be_merged_is_refused_and_leaves_nothing(
    make, loud_base, tiny_base, reward_folder, tmp_path, capsys
):
    adapter = make("policy", LoraSpec(rank=2))
    for base, source, out, reason in (
        (tiny_base, adapter, tmp_path / "a", "another base"),
        (loud_base, reward_folder, tmp_path / "b", "cannot be merged"),
        (loud_base, tmp_path / "nothing", tmp_path / "c", "does not exist"),
        (loud_base, adapter, adapter, "exists already"),
    ):
        assert tool("merge", "--base", base, "--adapter", source, "--out", out) == 2
        assert reason in capsys.readouterr().err
    assert not [tmp_path / name for name in "abc" if (tmp_path / name).exists()]


# ---- export ----------------------------------------------------------------------------------------------------------


def test_an_exported_folder_loads_in_plain_peft_and_names_its_base_but_no_path(
    make, lora, loud_base, tmp_path, cpu, capsys
):
    adapter, out = make("policy", lora), tmp_path / "out" / "exported"
    assert tool("export", "--adapter", adapter, "--out", out) == 0
    said = capsys.readouterr().out
    assert base_sha256(loud_base) in said
    assert ("vLLM does not, because it has DoRA" in said) == lora.dora
    assert ("vLLM with --max-lora-rank 8" in said) != lora.dora
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(loud_base), out)
    ours = load_adapter(load_base(loud_base, cpu), adapter)
    torch.testing.assert_close(theirs(TOKENS).logits, ours(TOKENS).logits, atol=1e-5, rtol=1e-5)
    assert json.loads((out / "adapter_meta.json").read_text())["base_sha256"] == base_sha256(loud_base)
    assert not [file for file in out.iterdir() if str(tmp_path).encode() in file.read_bytes()]
    assert folder_bytes(out) == folder_bytes(adapter)


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_an_archive_holds_the_same_files_and_has_the_same_bytes_every_time(make, tmp_path, suffix):
    adapter = make("policy", LoraSpec(rank=2))
    for folder in ("one", "two"):
        assert tool("export", "--adapter", adapter, "--out", tmp_path / folder / f"policy{suffix}") == 0
        assert [file.name for file in (tmp_path / folder).iterdir()] == [f"policy{suffix}"]
    one, two = (tmp_path / folder / f"policy{suffix}" for folder in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    if suffix == ".tar":
        with tarfile.open(one) as archive:
            archive.extractall(tmp_path / "back", filter="data")
    else:
        with zipfile.ZipFile(one) as archive:
            archive.extractall(tmp_path / "back")
    assert folder_bytes(tmp_path / "back" / "policy") == folder_bytes(adapter)


def test_an_adapter_of_another_tool_is_exported_with_the_base_that_is_named(
    make, loud_base, tiny_base, tmp_path, cpu, capsys
):
    theirs = new_adapter(load_base(loud_base, cpu), LoraSpec(rank=2), seed=1)
    theirs.peft_config["default"].base_model_name_or_path = str(loud_base)
    theirs.save_pretrained(tmp_path / "theirs")
    assert tool("export", "--adapter", tmp_path / "theirs", "--out", tmp_path / "out") == 2
    assert "name it by --base" in capsys.readouterr().err
    assert tool("export", "--adapter", tmp_path / "theirs", "--out", tmp_path / "out", "--base", loud_base) == 0
    assert not [file for file in (tmp_path / "out").iterdir() if str(loud_base).encode() in file.read_bytes()]
    capsys.readouterr()
    adapter = make("policy", LoraSpec(rank=2))
    assert tool("export", "--adapter", adapter, "--out", tmp_path / "other", "--base", tiny_base) == 2
    assert "another base" in capsys.readouterr().err


def test_a_reward_model_is_exported_with_its_head_and_figures(reward_folder, tmp_path, capsys):
    assert tool("export", "--adapter", reward_folder, "--out", tmp_path / "out") == 0
    assert "a head of its own" in capsys.readouterr().out
    assert folder_bytes(tmp_path / "out") == folder_bytes(reward_folder)


# ---- list ------------------------------------------------------------------------------------------------------------


def test_listing_tells_kinds_apart_and_says_what_is_wrong_with_the_rest(
    make, reward_folder, tmp_path, loud_base, capsys
):
    make("shelf/plain", LoraSpec(rank=4, targets="attention"))
    make("shelf/deep/dora", LoraSpec(rank=2, rslora=True, dora=True))
    broken = make("shelf/broken", LoraSpec(rank=4))
    (broken / "adapter_model.safetensors").write_bytes(b"nothing")
    (tmp_path / "shelf" / "reward").mkdir()
    for file in reward_folder.iterdir():
        (tmp_path / "shelf" / "reward" / file.name).write_bytes(file.read_bytes())
    assert tool("list", tmp_path / "shelf", "--json") == 0
    rows = {row["adapter"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert list(rows) == ["broken", "deep/dora", "plain", "reward"]
    assert "not a safetensors file" in rows["broken"]["problem"]
    assert [(row["kind"], row["method"], row["rank"]) for row in list(rows.values())[1:]] == [
        ("policy", "rsDoRA", 2), ("policy", "LoRA", 4), ("reward model", "LoRA", 2),
    ]  # fmt: skip
    assert rows["plain"]["targets"] == "k_proj+o_proj+q_proj+v_proj"
    assert rows["plain"]["base"] == base_sha256(loud_base)
    assert len(rows["plain"]["sha256"]) == 64
    assert tool("list", tmp_path / "shelf") == 0
    assert "rsDoRA" in capsys.readouterr().out
    assert tool("list", tmp_path / "nowhere") == 2


# ---- compare ---------------------------------------------------------------------------------------------------------


def test_norms_and_cosines_are_those_of_the_updates(tiny_llama, tmp_path, tokenizer):
    model = new_adapter(tiny_llama, LoraSpec(rank=2, alpha=4), seed=0, name="first")
    model = new_adapter(model, LoraSpec(rank=2, alpha=4, targets="attention"), seed=0, name="second")
    layer = model.get_submodule("base_model.model.model.layers.0.self_attn.q_proj")
    with torch.no_grad():
        for name in ("first", "second"):
            layer.lora_A[name].weight.zero_()
            layer.lora_B[name].weight.zero_()
            layer.lora_A[name].weight[0, 0] = 1.0
        layer.lora_B["first"].weight[:2, 0] = torch.tensor([3.0, 4.0])
        layer.lora_B["second"].weight[0, 0] = 2.0
    rows = {row["layer"]: row for row in layers_compare(model)}
    # s = 4 / 2: the updates are (6, 8) and (4, 0) in one column.
    row = rows["model.layers.0.self_attn.q_proj"]
    assert (row["norm_first"], row["norm_second"]) == pytest.approx((10.0, 4.0))
    assert row["cosine"] == pytest.approx(0.6)
    only_first = rows["model.layers.0.mlp.up_proj"]
    assert (only_first["norm_second"], only_first["cosine"]) == (0.0, None)


def test_an_adapter_is_no_distance_from_itself_and_some_from_another(make, lora, loud_base, write_jsonl, capsys):
    first, second = make("first", lora), make("second", lora, seed=2)
    prompts = write_jsonl(
        [{"id": i, "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(4)], "prompts.jsonl"
    ).path
    asked = ("--base", loud_base, "--prompts", prompts, "--max-new-tokens", 8, "--json")
    assert tool("compare", first, first, *asked) == 0
    same = json.loads(capsys.readouterr().out)
    assert same["cosine"] == pytest.approx(1.0, abs=1e-4)
    assert same["kl_first_to_second_nats_per_token"] == pytest.approx(0.0, abs=1e-6)
    assert same["greedy_differ_share"] == 0
    assert tool("compare", first, second, *asked) == 0
    other = json.loads(capsys.readouterr().out)
    assert abs(other["cosine"]) < 0.5
    assert other["kl_first_to_second_nats_per_token"] > 1e-3
    assert other["kl_second_to_first_nats_per_token"] > 1e-3
    assert other["n_prompts"] == 4


def test_the_kl_is_that_of_the_whole_distribution_at_each_place(make, loud_base, cpu):
    first, second = make("first", LoraSpec(rank=2)), make("second", LoraSpec(rank=2), seed=2)
    model = load_adapter(load_base(loud_base, cpu), first, name="first")
    model = load_adapter(model, second, name="second")
    tokens = torch.tensor([[1, 7, 8, 9]])
    logs = [
        load_adapter(load_base(loud_base, cpu), path)(tokens).logits[0, 1:3].log_softmax(-1) for path in (first, second)
    ]
    expected = float((logs[0].exp() * (logs[0] - logs[1])).sum()) / 2
    sampler = Sampler(model, load_tokenizer(loud_base), cpu)
    assert _kl(sampler, [Example((1, 7), (8, 9))], "first", "second") == pytest.approx(expected, rel=1e-4)


def test_adapters_of_different_bases_are_not_compared(make, tiny_base, capsys):
    first = make("first", LoraSpec(rank=2))
    assert tool("compare", first, first, "--base", tiny_base) == 2
    assert "another base" in capsys.readouterr().err
