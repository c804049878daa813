import json

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from modeling.errors import BadInput, Refused, Stopped
from modeling.rundir import RunDir
from modeling.spec import PretrainSpec
from modeling.training import pretrain
from modeling.training.schedule import warm_cosine
from tests.modeling.conftest import TEXTS, read_events


@pytest.fixture
def spec(tiny_base, write_jsonl):
    asks = [{"role": "user", "content": TEXTS[1]}, {"role": "assistant", "content": TEXTS[3]}]
    rows = [{"text": text} for text in TEXTS * 30] + [{"messages": asks}] * 20
    return PretrainSpec(
        texts=(write_jsonl(rows),), tokenizer=str(tiny_base), hidden_size=16, n_layers=2, n_heads=2, context_length=32,
        n_tokens=32 * 4 * 20, batch_size=4, learning_rate=1e-2,
    )  # fmt: skip


def changed(spec, **changes):
    return PretrainSpec.from_json({**spec.to_json(), **changes})


def test_pretraining_lowers_the_loss_and_leaves_a_base_that_transformers_loads(spec, run_dir):
    metrics = pretrain.run(spec, run_dir)
    losses = [event["values"]["loss"] for event in read_events(run_dir) if "loss" in event.get("values", {})]
    assert len(losses) == 20
    assert losses[-1] < losses[0] - 0.5
    assert metrics["held_out_loss"] < losses[0]
    folder = run_dir.artifact("base")
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.dtype == torch.float32
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert model.generation_config.eos_token_id == AutoTokenizer.from_pretrained(folder).eos_token_id
    assert sum(p.numel() for p in model.parameters()) == metrics["n_parameters"]


def test_events_carry_loss_speed_and_learning_rate(spec, run_dir):
    pretrain.run(spec, run_dir)
    metrics = [event["values"] for event in read_events(run_dir) if event["type"] == "metrics"]
    assert {"loss", "tokens_per_s", "lr"} <= set(metrics[0])
    assert any("held_out_loss" in values for values in metrics)


def test_a_stopped_and_resumed_pretraining_ends_in_the_same_bytes(spec, tmp_path):
    whole = RunDir(tmp_path / "whole")
    pretrain.run(spec, whole)
    first = RunDir(tmp_path / "first")
    stop_at_step(first, 7)
    with pytest.raises(Stopped, match="Stopped at step 7 of 20"):
        pretrain.run(spec, first)
    second = RunDir(tmp_path / "second", resume_from=[first.path])
    pretrain.run(spec, second)
    assert "Going on from step 7 of 20." in [event.get("text") for event in read_events(second)]
    for file in ("model.safetensors", "config.json"):
        assert (second.artifact("base") / file).read_bytes() == (whole.artifact("base") / file).read_bytes()


def stop_at_step(run, step):
    plain = run.progress

    def progress(done, total, unit="steps"):
        plain(done, total, unit)
        if done == step:
            run.request_stop()

    run.progress = progress


def test_another_seed_gives_another_model(spec, tmp_path):
    runs = [RunDir(tmp_path / str(seed)) for seed in (0, 1)]
    for seed, run in enumerate(runs):
        pretrain.run(changed(spec, seed=seed), run)
    first, second = ((run.artifact("base") / "model.safetensors").read_bytes() for run in runs)
    assert first != second


def test_a_diverged_training_is_refused(spec, run_dir, monkeypatch):
    monkeypatch.setattr(pretrain._Loop, "_loss", lambda *_: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(Refused, match="The loss became nan at step 0: training diverged"):
        pretrain.run(spec, run_dir)


def test_too_little_text_for_the_context_is_refused(spec, run_dir):
    with pytest.raises(BadInput, match="too few for a context of 8192"):
        pretrain.run(changed(spec, context_length=8192, n_tokens=8192), run_dir)


def test_the_first_loss_is_that_of_a_uniform_guess(spec, run_dir):
    """A fresh model knows nothing: its loss is ln(vocabulary size), here ln 300 = 5.70."""
    pretrain.run(spec, run_dir)
    first = next(event for event in read_events(run_dir) if event["type"] == "metrics")
    assert first["values"]["loss"] == pytest.approx(5.70, abs=0.1)


def test_the_learning_rate_rises_then_falls_along_half_a_cosine():
    assert warm_cosine(0, 100, warmup_share=0.1) == pytest.approx(0.1)
    assert warm_cosine(9, 100, warmup_share=0.1) == 1
    assert warm_cosine(55, 100, warmup_share=0.1) == pytest.approx(0.5)
    assert warm_cosine(99, 100, warmup_share=0.1) == pytest.approx(0.0, abs=1e-3)


def test_the_base_names_its_control_tokens(spec, run_dir, tokenizer):
    pretrain.run(spec, run_dir)
    config = json.loads((run_dir.artifact("base") / "config.json").read_text())
    assert config["eos_token_id"] == tokenizer.convert_tokens_to_ids("<|end|>")
    assert config["bos_token_id"] == tokenizer.convert_tokens_to_ids("<|bos|>")
    assert config["max_position_embeddings"] == 32
