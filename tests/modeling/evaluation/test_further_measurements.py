"""Questions, texts and snapshots beside the comparison, on throw-away models."""

import dataclasses
import json
import shutil

import pytest

from modeling.errors import BadInput, Stopped
from modeling.evaluation import evaluate, recompute
from modeling.evaluation.trajectory import snapshot_steps
from modeling.model.adapters import new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.batching import Example
from modeling.model.logprobs import sequence_logprobs
from modeling.model.reward import reward_model_new, reward_model_save
from modeling.rundir import RunDir
from modeling.spec import EvaluateSpec, FileRef, LoraSpec, SpecError
from tests.modeling.conftest import fill, read_events

LORA = LoraSpec(rank=2, alpha=4)
TEXT = "The red fox lives in the old forest near Alder. It eats berries."


def likes_short(_prompt: str, answer: str) -> float:
    return -float(len(answer))


@pytest.fixture(scope="module")
def folders(tiny_base, tmp_path_factory, cpu):
    """A policy, a reward model, and three snapshots of which the last is the policy."""
    root, sha256 = tmp_path_factory.mktemp("models"), base_sha256(tiny_base)
    for seed, name in enumerate(("policy", "snapshots/4", "snapshots/10", "snapshots/20")):
        model = new_adapter(load_base(tiny_base, cpu), LORA, seed=0)
        fill(model, 0 if name == "snapshots/20" else seed)
        save_adapter(model, root / name, base_sha256=sha256)
    reward = reward_model_new(load_base(tiny_base, cpu), LORA, cpu, seed=0)
    fill(reward.model, 10)
    reward_model_save(reward, root / "reward", base_sha256=sha256)
    return root


@pytest.fixture
def spec(tiny_base, folders, write_jsonl):
    prompts = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(4)]
    questions = [{"question": f"{i} and 1?", "answer": f"#### {i + 1}"} for i in range(3)]
    texts = [
        {"text": TEXT},
        {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "It."}]},
    ]
    return EvaluateSpec(
        base=str(tiny_base), policy=str(folders / "policy"), reward=str(folders / "reward"),
        gold="tests.modeling.evaluation.test_further_measurements:likes_short",
        prompts=write_jsonl(prompts, "prompts.jsonl"), questions=(write_jsonl(questions, "questions.jsonl"),),
        texts=(write_jsonl(texts, "texts.jsonl"),), snapshots=str(folders / "snapshots"), n_snapshot_prompts=3,
        n_questions=2, question_tokens=8, samples_per_prompt=2, max_new_tokens=8, n_bootstrap=100, n_oracle_prompts=0,
    )  # fmt: skip


def rows_of(run, kind):
    rows = [json.loads(line) for line in (run.path / "artifacts/eval.jsonl").read_text().splitlines()]
    return [row for row in rows if row["kind"] == kind]


def test_everything_is_measured_and_follows_from_the_file_alone(spec, run_dir, capsys):
    metrics = evaluate.run(spec, run_dir)
    assert (metrics["n_questions"], metrics["n_questions_skipped"]) == (2, 0)
    assert [point["step"] for point in metrics["snapshots"]] == [0, 4, 10, 20]
    assert {"exact_match", "sft_exact_match_greedy_low", "forgotten_nats_high", "text_nats"} <= metrics.keys()
    assert json.loads(json.dumps(metrics)) == metrics
    assert recompute.main([str(run_dir.path / "artifacts/eval.jsonl"), "100"]) == 0
    again = json.loads(capsys.readouterr().out)
    said = ("judge", "n_prompts_skipped", "n_questions_skipped")
    assert again == {name: value for name, value in metrics.items() if name not in said}
    progress = [event for event in read_events(run_dir) if event["type"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 4 * (2 + 2 + 1) + 2 * (2 + 1) * 2 + 2 * 2 + 4 * 3


def test_the_first_point_of_the_curve_is_sft_and_the_last_is_the_policy(spec, run_dir):
    metrics = evaluate.run(spec, run_dir)
    rows = rows_of(run_dir, "snapshot")
    assert [(row["step"], row["prompt_id"]) for row in rows[:4]] == [
        (0, rows[0]["prompt_id"]), (0, rows[1]["prompt_id"]), (0, rows[2]["prompt_id"]), (4, rows[0]["prompt_id"]),
    ]  # fmt: skip
    assert metrics["snapshots"][0]["kl_nats"] == 0
    assert all(row["score"] == -len(row["text"]) for row in rows)
    assert [row["text"] for row in rows if row["step"] == 4] != [row["text"] for row in rows if row["step"] == 20]


def test_greedy_answers_are_one_to_a_question_and_the_sampled_ones_several(spec, run_dir):
    evaluate.run(spec, run_dir)
    for row in rows_of(run_dir, "question"):
        assert [len(row[side]) for side in ("policy", "policy_greedy", "sft", "sft_greedy")] == [2, 1, 2, 1]
        assert all(isinstance(answer["right"], bool) for answer in row["policy"])


def test_nats_of_a_text_are_those_of_the_base_after_its_begin_token(spec, run_dir, tiny_base, tokenizer, cpu):
    evaluate.run(spec, run_dir)
    ids = [tokenizer.bos_token_id, *tokenizer(TEXT, add_special_tokens=False)["input_ids"]]
    expected = -float(sequence_logprobs(load_base(tiny_base, cpu), [Example((ids[0],), tuple(ids[1:]))], cpu)[0])
    row = rows_of(run_dir, "text")[1]  # read from the end: the dialogue is the first piece
    assert row["n_tokens"] == len(ids) - 1
    assert row["sft_nats"] == pytest.approx(expected, rel=1e-5)
    assert row["policy_nats"] != row["sft_nats"]


def test_a_text_longer_than_the_context_is_measured_in_pieces_of_which_no_token_is_lost(
    spec, run_dir, tokenizer, write_jsonl
):
    text = TEXT * 20
    texts = (write_jsonl([{"text": text}], "long.jsonl"),)
    evaluate.run(dataclasses.replace(spec, texts=texts, questions=(), snapshots=""), run_dir)
    rows = rows_of(run_dir, "text")
    assert len(rows) > 3
    assert sum(row["n_tokens"] for row in rows) == len(tokenizer(text, add_special_tokens=False)["input_ids"])


def test_the_texts_are_taken_from_the_end_where_pretraining_holds_out(spec, run_dir, write_jsonl):
    texts = (write_jsonl([{"text": TEXT * 3}, {"text": "So."}], "two.jsonl"),)
    metrics = evaluate.run(dataclasses.replace(spec, texts=texts, n_texts=1), run_dir)
    assert metrics["n_text_tokens"] < 5


@pytest.mark.parametrize("after", [20, 26, 33, 37, 44])
def test_a_stopped_evaluation_goes_on_to_the_same_bytes(spec, tmp_path, after):
    whole = RunDir(tmp_path / "whole")
    figures = evaluate.run(spec, whole)

    class Stopping(RunDir):
        def progress(self, done, total, unit="steps"):
            if done >= after:
                self.request_stop()

    with pytest.raises(Stopped):
        evaluate.run(spec, Stopping(tmp_path / "first"))
    second = RunDir(tmp_path / "second", resume_from=[tmp_path / "first"])
    assert evaluate.run(spec, second) == figures
    assert [(run.path / "artifacts/eval.jsonl").read_bytes() for run in (whole, second)] == [
        (whole.path / "artifacts/eval.jsonl").read_bytes()
    ] * 2


def test_questions_that_leave_no_room_are_skipped_and_counted(spec, run_dir, write_jsonl):
    rows = [{"question": "1 and 1?", "answer": "2"}, {"question": "Why? " * 60, "answer": "3"}]
    metrics = evaluate.run(dataclasses.replace(spec, questions=(write_jsonl(rows),)), run_dir)
    assert (metrics["n_questions"], metrics["n_questions_skipped"]) == (1, 1)
    assert any("Skipped 1 questions" in event.get("text", "") for event in read_events(run_dir))


@pytest.mark.parametrize(
    ("rows", "change", "reason"),
    [
        ([], "questions", "holds no questions"),
        ([{"question": "Why? " * 60, "answer": "3"}], "questions", "No question leaves room"),
        ([{"question": "Why?", "answer": "because"}], "questions", "has no number"),
        ([{"text": ""}], "texts", "holds no text"),
    ],
)
def test_files_that_hold_nothing_to_measure_are_refused(spec, run_dir, write_jsonl, rows, change, reason):
    with pytest.raises(BadInput, match=reason):
        evaluate.run(dataclasses.replace(spec, **{change: (write_jsonl(rows, "odd.jsonl"),)}), run_dir)


def test_a_folder_without_snapshots_is_refused(spec, run_dir, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no snapshots"):
        evaluate.run(dataclasses.replace(spec, snapshots=str(tmp_path / "empty")), run_dir)


def test_a_broken_snapshot_is_refused_by_its_folder(spec, run_dir, folders, tmp_path):
    shutil.copytree(folders / "snapshots", tmp_path / "snapshots")
    (tmp_path / "snapshots/10/adapter_model.safetensors").unlink()
    with pytest.raises(BadInput, match="10"):
        evaluate.run(dataclasses.replace(spec, snapshots=str(tmp_path / "snapshots")), run_dir)


def test_snapshots_are_read_in_the_order_of_their_steps(folders, tmp_path):
    for name in ("9", "100", "step-3.tmp", "20"):
        (tmp_path / name).mkdir()
    assert snapshot_steps(tmp_path) == [9, 20, 100]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"snapshots": "s", "reward": ""}, "needs the reward model"),
        ({"n_questions": 0}, "n_questions must be at least 1"),
        ({"n_texts": 0}, "n_texts must be at least 1"),
        ({"n_snapshot_prompts": 1}, "n_snapshot_prompts must be at least 2"),
    ],
)
def test_a_specification_that_cannot_be_measured_is_refused(change, reason):
    spec = EvaluateSpec(base="b", policy="p", gold="m:f", reward="r", prompts=FileRef("f"))
    with pytest.raises(SpecError, match=reason):
        dataclasses.replace(spec, **change).validate()
