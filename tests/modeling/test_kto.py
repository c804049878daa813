import dataclasses
import math

import pytest

from modeling.errors import BadInput, Stopped
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.batching import Example
from modeling.model.logprobs import sequence_logprobs
from modeling.rundir import RunDir
from modeling.spec import KTOSpec, LoraSpec
from modeling.training import kto
from modeling.training.kto import Judged, batch_of, plan_draw, rows_weigh
from tests.modeling.conftest import fill, read_events
from tests.modeling.pairs import verdict_rows
from tests.modeling.stopping import StoppingRunDir, folder_bytes


@pytest.fixture
def spec(loud_base, write_jsonl):
    return KTOSpec(
        base=str(loud_base),
        verdicts=(write_jsonl(verdict_rows(10)),),
        lora=LoraSpec(rank=4, alpha=8),
        epochs=4,
        batch_size=5,
        learning_rate=1e-2,
        seed=5,
    )


def judged(n_good, n_bad, weight=1.0):
    return [Judged(Example((1, i), (7, i)), i < n_good, weight) for i in range(n_good + n_bad)]


def figures(run):
    return [event["values"] for event in read_events(run) if event["type"] == "metrics"]


def test_the_first_loss_is_a_half_and_good_answers_become_likelier_than_bad_ones(spec, run_dir):
    metrics = kto.run(spec, run_dir)
    assert figures(run_dir)[0]["loss"] == pytest.approx(0.5, abs=1e-3)
    assert figures(run_dir)[-1]["loss"] < 0.45
    assert metrics["final_good_nats"] > metrics["final_bad_nats"]
    assert (metrics["n_good"], metrics["n_bad"], metrics["n_skipped"], metrics["n_weightless"]) == (10, 10, 0, 0)
    assert math.isfinite(metrics["final_kl_nats"])


def test_the_saved_adapter_prefers_what_was_called_good(spec, run_dir, loud_base, tokenizer, cpu):
    kto.run(spec, run_dir)
    model = load_adapter(load_base(loud_base, cpu), run_dir.artifact("adapter"))
    rows, _ = kto.verdicts_encode(list(kto.read_verdicts(spec.verdicts))[:2], tokenizer, max_length=64)
    policy = sequence_logprobs(model, [row.example for row in rows], cpu)
    with model.disable_adapter():
        base = sequence_logprobs(model, [row.example for row in rows], cpu)
    good, bad = (policy - base).tolist()
    assert good > bad


@pytest.mark.parametrize("continued", [False, True])
def test_a_stopped_run_goes_on_to_the_same_bytes(spec, tmp_path, loud_base, cpu, continued):
    if continued:
        start = new_adapter(load_base(loud_base, cpu), spec.lora, seed=8)
        fill(start, 8)
        save_adapter(start, tmp_path / "start", base_sha256=base_sha256(loud_base))
        spec = dataclasses.replace(spec, adapter=str(tmp_path / "start"), reference="adapter", max_kl_nats=1e3)
    kto.run(spec, whole := RunDir(tmp_path / "whole"))
    with pytest.raises(Stopped):
        kto.run(spec, StoppingRunDir(tmp_path / "first", after_steps=7))
    kto.run(spec, second := RunDir(tmp_path / "second", resume_from=[tmp_path / "first"]))
    assert folder_bytes(second.artifact("adapter")) == folder_bytes(whole.artifact("adapter"))
    if continued:
        assert figures(whole)[0]["loss"] == pytest.approx(0.5, abs=1e-3)


def test_both_sides_weigh_the_same_and_one_on_average():
    weights = [row.weight for row in rows_weigh(judged(2, 6, weight=3.0), KTOSpec(base="b", verdicts=()))]
    assert weights == pytest.approx([2.0] * 2 + [2 / 3] * 6)


def test_a_side_may_be_told_to_weigh_more():
    spec = KTOSpec(base="b", verdicts=(), desirable_weight=3.0)
    assert [row.weight for row in rows_weigh(judged(1, 1), spec)] == pytest.approx([1.5, 0.5])


@pytest.mark.parametrize(("rows", "reason"), [(judged(3, 0), "called good"), (judged(0, 3), "called bad")])
def test_one_sided_data_is_bad_input(rows, reason):
    with pytest.raises(BadInput, match=f"All 3 answers are {reason}.*give both kinds"):
        rows_weigh(rows, KTOSpec(base="b", verdicts=()))


def test_each_prompt_borrows_the_answer_of_the_next_where_the_base_can_read_it():
    one, two, three = Example((1,), (2, 3)), Example((4, 5), (6,)), Example((7,), (8, 9, 10))
    batch = batch_of([Judged(example, True, 1.0) for example in (one, two, three)], context=4)
    assert batch.mismatched == [Example((1,), (6,)), Example((7,), (2, 3))]  # (4, 5) + (8, 9, 10) is five tokens long


def test_every_batch_holds_both_sides_in_their_proportion():
    spec = KTOSpec(base="b", verdicts=(), batch_size=6, epochs=1.5)
    plan = plan_draw(judged(7, 14), spec, context=128)
    assert [len(batch.rows) for batch in plan] == [7, 7, 7, 7]  # 3 batches an epoch, half of the second epoch
    assert all(2 <= sum(row.good for row in batch.rows) <= 3 for batch in plan)


def test_what_is_too_long_or_weightless_is_counted_and_prompts_are_held_out(spec, run_dir, write_jsonl):
    rows = verdict_rows(10)
    rows[0]["completion"] = [{"role": "assistant", "content": "the fox " * 200}]
    rows[1]["weight"] = 0
    metrics = kto.run(dataclasses.replace(spec, verdicts=(write_jsonl(rows, "x.jsonl"),), heldout_share=0.2), run_dir)
    assert (metrics["n_skipped"], metrics["n_weightless"], metrics["n_heldout"]) == (1, 1, 4)
    assert metrics["n_good"] + metrics["n_bad"] == 14
    assert metrics["heldout_loss"] < 0.5


def test_no_usable_verdicts_are_bad_input(spec, run_dir, write_jsonl):
    with pytest.raises(BadInput, match="no verdicts"):
        kto.run(dataclasses.replace(spec, verdicts=(write_jsonl([], "none.jsonl"),)), run_dir)
    with pytest.raises(BadInput, match="longer than 3 tokens or empty"):
        kto.run(dataclasses.replace(spec, max_length=3), run_dir)
