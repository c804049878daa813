import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from modeling.errors import BadInput, Refused, Stopped
from modeling.rundir import RunDir
from modeling.spec import SFTSpec, SpecError
from modeling.training import finetuning, sft
from tests.modeling.conftest import read_events
from tests.modeling.test_pretrain import stop_at_step

ASK = ({"role": "user", "content": "Where does the fox live?"},)


@pytest.fixture
def spec(tiny_base, write_jsonl):
    rows = [{"messages": [*ASK, {"role": "assistant", "content": f"In forest {n}."}]} for n in range(24)]
    return SFTSpec(
        base=str(tiny_base), dialogues=(write_jsonl(rows),), batch_size=4, max_length=64, learning_rate=3e-3, epochs=2
    )


def changed(spec, **changes):
    return SFTSpec.from_json({**spec.to_json(), **changes})


@pytest.mark.parametrize("method", ["full", "lora"])
def test_fine_tuning_leaves_a_complete_base_and_samples_to_look_at(spec, run_dir, method):
    metrics = sft.run(changed(spec, method=method), run_dir)
    assert (metrics["n_dialogues"], metrics["n_skipped"]) == (24, 0)
    folder = run_dir.artifact("base")
    assert {file.name for file in folder.iterdir()} == {
        "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    before, after = (AutoModelForCausalLM.from_pretrained(path) for path in (spec.base, folder))
    assert before.state_dict().keys() == after.state_dict().keys()
    assert any((before.state_dict()[name] != tensor).any() for name, tensor in after.state_dict().items())
    assert after.generation_config.eos_token_id == AutoTokenizer.from_pretrained(folder).eos_token_id
    events = read_events(run_dir)
    losses = [event["values"]["loss"] for event in events if "loss" in event.get("values", {})]
    assert losses[-1] < losses[0]
    assert any(event.get("text", "").startswith("Q: Where does the fox live?\nA: ") for event in events)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_stopped_and_resumed_fine_tuning_ends_in_the_same_bytes(spec, tmp_path, method):
    spec = changed(spec, method=method)
    whole, first = RunDir(tmp_path / "whole"), RunDir(tmp_path / "first")
    sft.run(spec, whole)
    stop_at_step(first, 5)
    with pytest.raises(Stopped, match="Stopped at step 5 of 12"):
        sft.run(spec, first)
    second = RunDir(tmp_path / "second", resume_from=[first.path])
    sft.run(spec, second)
    for file in ("model.safetensors", "config.json", "generation_config.json", "tokenizer_config.json"):
        assert (second.artifact("base") / file).read_bytes() == (whole.artifact("base") / file).read_bytes(), file


def test_what_is_too_long_is_skipped_and_counted(spec, run_dir, write_jsonl):
    rows = [{"messages": [*ASK, {"role": "assistant", "content": "In the forest. " * n}]} for n in (1, 1, 40)]
    metrics = sft.run(changed(spec, dialogues=[{"path": write_jsonl(rows, "long.jsonl").path}]), run_dir)
    assert (metrics["n_dialogues"], metrics["n_skipped"]) == (2, 1)


def test_a_length_that_keeps_nothing_or_that_the_base_cannot_read_is_refused(spec, run_dir):
    with pytest.raises(BadInput, match="None of the 24 dialogues fits into max_length = 3"):
        sft.run(changed(spec, max_length=3), run_dir)
    with pytest.raises(BadInput, match="the base reads at most 128 tokens"):
        sft.run(changed(spec, max_length=4096), run_dir)


def test_a_diverged_fine_tuning_is_refused(spec, run_dir, monkeypatch):
    monkeypatch.setattr(finetuning, "learnt_loss", lambda model, *_: model.lm_head.weight.sum() * float("nan"))
    with pytest.raises(Refused, match="training diverged"):
        sft.run(spec, run_dir)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "there is nothing to learn from"),
        ([{"messages": [*ASK]}], "must be of the assistant"),
        ([{"messages": [*ASK, {"role": "assistant", "content": " "}]}], "all are empty or of weight 0"),
        ([{"prompt": [*ASK], "completion": [{"role": "assistant", "content": "Yes."}], "weight": 0}], "of weight 0"),
    ],
)
def test_dialogues_that_teach_nothing_are_refused(spec, run_dir, write_jsonl, rows, reason):
    with pytest.raises(BadInput, match=reason):
        sft.run(changed(spec, dialogues=[{"path": write_jsonl(rows, "bad.jsonl").path}]), run_dir)


def test_answers_that_people_wrote_are_learnt_but_those_of_weight_zero(spec, run_dir, write_jsonl):
    """The columns are those of the demonstrations that a project exports."""
    rows = [
        {
            "prompt": [{"role": "system", "content": "Be brief."}, *ASK], "task": 7, "annotator": "A1", "prompt_id": 3,
            "completion": [{"role": "assistant", "content": f"In wood {n}."}], "improves": None, "protocol": 1,
            "reliability": 0.8, "weight": weight,
        }
        for n, weight in enumerate([1.0, 0.5, None, 0.0])
    ]  # fmt: skip
    metrics = sft.run(changed(spec, dialogues=[{"path": write_jsonl(rows, "demonstrations.jsonl").path}]), run_dir)
    assert (metrics["n_dialogues"], metrics["n_answers"], metrics["n_weightless"]) == (3, 3, 1)


def test_a_base_of_four_bits_is_for_adapters_alone(spec):
    with pytest.raises(SpecError, match="not '4bit' with method 'full'"):
        changed(spec, lora={"quantize": "4bit"})


def test_a_missing_base_is_bad_input(spec, run_dir, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInput, match="neither a folder nor a model"):
        sft.run(changed(spec, base="/nowhere/base"), run_dir)
