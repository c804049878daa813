import dataclasses
import json

import pytest

from modeling.errors import BadInput, Stopped
from modeling.evaluation import evaluate, parts, recompute
from modeling.evaluation.comparison import _parts
from modeling.evaluation.judges import gold_function
from modeling.model.adapters import new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base
from modeling.model.reward import reward_model_new, reward_model_save
from modeling.rundir import RunDir
from modeling.spec import EvaluateSpec, LoraSpec, SpecError
from tests.modeling.conftest import fill, make_tiny_llama, read_events

LORA = LoraSpec(rank=2, alpha=4)


def likes_short(_prompt: str, answer: str) -> float:
    return -float(len(answer))


def likes_nothing(_prompt: str, _answer: str) -> float:
    return float("nan")


@pytest.fixture(scope="module")
def folders(tiny_base, tmp_path_factory, cpu):
    """Two policies and two reward models with random weights."""
    root, sha256 = tmp_path_factory.mktemp("adapters"), base_sha256(tiny_base)
    for seed, name in enumerate(("policy", "previous")):
        model = new_adapter(load_base(tiny_base, cpu), LORA, seed=seed)
        fill(model, seed)
        save_adapter(model, root / name, base_sha256=sha256)
    save_adapter(new_adapter(load_base(tiny_base, cpu), LORA, seed=0), root / "fresh", base_sha256=sha256)
    for seed, name in enumerate(("reward", "judge")):
        reward = reward_model_new(load_base(tiny_base, cpu), LORA, cpu, seed=seed)
        fill(reward.model, seed + 10)
        reward_model_save(reward, root / name, base_sha256=sha256)
    return root


@pytest.fixture
def spec(tiny_base, folders, write_jsonl):
    prompts = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(8)]
    return EvaluateSpec(
        base=str(tiny_base),
        policy=str(folders / "policy"),
        previous=str(folders / "previous"),
        reward=str(folders / "reward"),
        gold="tests.modeling.evaluation.test_evaluate:likes_short",
        prompts=write_jsonl(prompts, "prompts.jsonl"),
        n_prompts=6,
        samples_per_prompt=2,
        max_new_tokens=8,
        n_bootstrap=200,
        oracle_n=5,
        n_oracle_prompts=3,
    )


def test_every_figure_of_the_issue_is_reported_with_its_sft_twin(spec, run_dir):
    metrics = evaluate.run(spec, run_dir)
    own = {"mean_tokens", "cut_share", "distinct_share", "well_formed_share", "kl_nats", "score"}
    own |= {"distinct_1", "distinct_2", "distinct_3", "repeated_share"}
    names = {"n_prompts", "length_effect", "oracle_share", "best_of_2", "policy_best_of_2", "previous_best_of_2"}
    rates = {"win_rate", "win_rate_previous", "win_rate_reward", "win_rate_length_controlled"}
    names |= {name + end for name in rates for end in ("", "_low", "_high")}
    assert names | own | {f"sft_{name}" for name in own} <= metrics.keys()
    assert metrics["n_prompts"] == 6
    assert metrics["judge"] == spec.gold
    assert metrics["sft_kl_nats"] == 0
    assert json.loads(json.dumps(metrics)) == metrics
    progress = [event for event in read_events(run_dir) if event["type"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 6 * 2 * 3 + 6 + 3 * 3


def test_the_figures_follow_from_the_file_alone(spec, run_dir, capsys):
    metrics = evaluate.run(spec, run_dir)
    assert recompute.main([str(run_dir.path / "artifacts/eval.jsonl"), "200"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {name: value for name, value in metrics.items() if name not in ("judge", "n_prompts_skipped")}


def test_the_rows_hold_prompts_answers_and_scores_of_every_side(spec, run_dir):
    evaluate.run(spec, run_dir)
    rows = [json.loads(line) for line in (run_dir.path / "artifacts/eval.jsonl").read_text().splitlines()]
    for position, row in enumerate(rows):
        assert [len(row[side]) for side in ("policy", "sft", "previous")] == [2, 2, 2]
        assert len(row.get("oracle", ())) == (3 if position < 3 else 0)
        for answer in (*row["policy"], *row["sft"], row["plain"]):
            assert answer["score"] == likes_short("", answer["text"])
        texts = {side: [answer["text"] for answer in row[side]] for side in ("policy", "sft", "previous")}
        assert texts["policy"] != texts["previous"] != texts["sft"]


def test_a_fresh_adapter_is_at_no_distance_and_wins_half(spec, folders, run_dir):
    metrics = evaluate.run(dataclasses.replace(spec, policy=str(folders / "fresh"), previous=""), run_dir)
    assert metrics["kl_nats"] == pytest.approx(0, abs=1e-5)
    assert metrics["win_rate_low"] <= 0.5 <= metrics["win_rate_high"]
    assert metrics["win_rate_previous"] == metrics["win_rate"]


def test_without_gold_a_held_out_reward_model_judges_and_there_is_no_oracle(spec, folders, run_dir):
    metrics = evaluate.run(dataclasses.replace(spec, gold="", judge=str(folders / "judge")), run_dir)
    assert metrics["judge"] == "held-out reward model"
    assert "oracle_share" not in metrics
    assert 0 <= metrics["win_rate"] <= 1


def test_the_optimised_reward_model_is_never_the_judge(spec):
    with pytest.raises(SpecError, match="must not be the optimised"):
        dataclasses.replace(spec, gold="", judge=spec.reward).validate()


def test_the_same_seed_gives_the_same_file(spec, tmp_path):
    files = []
    for name in ("one", "two"):
        run = RunDir(tmp_path / name)
        evaluate.run(spec, run)
        files.append(eval_bytes(run))
    assert files[0] == files[1]


def test_an_adapter_of_another_base_is_refused(spec, run_dir, tokenizer, tmp_path, cpu):
    make_tiny_llama(tokenizer, seed=4).save_pretrained(tmp_path / "other")
    model = new_adapter(load_base(tmp_path / "other", cpu), LORA, seed=0)
    save_adapter(model, tmp_path / "foreign", base_sha256=base_sha256(tmp_path / "other"))
    with pytest.raises(BadInput, match="another base"):
        evaluate.run(dataclasses.replace(spec, policy=str(tmp_path / "foreign")), run_dir)


@pytest.mark.parametrize(
    ("reference", "reason"),
    [("no.such:thing", "cannot be imported"), ("json:loads2", "cannot be"), ("json:__doc__", "not a")],
)
def test_a_gold_that_is_not_a_function_is_bad_input(reference, reason):
    with pytest.raises(BadInput, match=reason):
        gold_function(reference)


def test_a_gold_score_that_is_not_a_number_is_bad_input(spec, run_dir):
    with pytest.raises(BadInput, match="not a finite number"):
        evaluate.run(dataclasses.replace(spec, gold="tests.modeling.evaluation.test_evaluate:likes_nothing"), run_dir)


def test_no_prompts_are_bad_input(spec, run_dir, write_jsonl):
    with pytest.raises(BadInput, match="holds no prompts"):
        evaluate.run(dataclasses.replace(spec, prompts=write_jsonl([], "none.jsonl")), run_dir)


def test_prompts_that_leave_no_room_for_an_answer_are_skipped_and_counted(spec, run_dir, write_jsonl):
    texts = ["What eats?", "Why? " * 60]
    rows = [{"id": str(i), "messages": [{"role": "user", "content": text}]} for i, text in enumerate(texts)]
    metrics = evaluate.run(dataclasses.replace(spec, prompts=write_jsonl(rows)), run_dir)
    assert (metrics["n_prompts"], metrics["n_prompts_skipped"]) == (1, 1)


def test_prompts_that_were_trained_on_are_refused(spec, run_dir, write_jsonl):
    rows = [{"id": "r", "split": "ranked", "messages": [{"role": "user", "content": "Why?"}]}]
    with pytest.raises(BadInput, match="not held out"):
        evaluate.run(dataclasses.replace(spec, prompts=write_jsonl(rows)), run_dir)


class StoppingRunDir(RunDir):
    """Is asked to stop, as by SIGTERM, once it has reported a number of answers."""

    def __init__(self, path, *, after_answers):
        super().__init__(path)
        self.after_answers = after_answers

    def progress(self, done, total, unit="steps"):
        super().progress(done, total, unit)
        if done >= self.after_answers:
            self.request_stop()


def eval_bytes(run):
    return (run.path / "artifacts/eval.jsonl").read_bytes()


@pytest.fixture
def in_small_parts(spec, monkeypatch):
    """Two prompts in a part where each gets two answers, four where it gets one, and one where it gets three."""
    monkeypatch.setattr(parts, "PART_TOKENS", 2 * spec.samples_per_prompt * spec.max_new_tokens)


def test_the_parts_hold_every_answer_of_every_side_once(spec, in_small_parts):
    plan = list(_parts(spec, 6))
    assert len(plan) == 3 * 3 + 2 + 3
    for side, n_prompts in {"policy": 6, "sft": 6, "previous": 6, "plain": 6, "oracle": 3}.items():
        assert [i for part in plan if part.side == side for i in part.prompts] == list(range(n_prompts))
    without = dataclasses.replace(spec, previous="", reward="", gold="", judge="j")
    assert {part.side for part in _parts(without, 6)} == {"policy", "sft"}


def test_an_answer_does_not_depend_on_how_the_parts_are_cut(spec, tmp_path, monkeypatch):
    texts = []
    for size in (1, 1_000_000):
        monkeypatch.setattr(parts, "PART_TOKENS", size)
        run = RunDir(tmp_path / str(size))
        evaluate.run(spec, run)
        rows = [json.loads(line) for line in eval_bytes(run).splitlines()]
        texts.append([[answer["text"] for answer in row["policy"]] for row in rows])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("after_answers", [1, 7, 12, 30, 43])
def test_a_stopped_evaluation_goes_on_to_the_same_bytes(spec, in_small_parts, tmp_path, after_answers):
    whole = RunDir(tmp_path / "whole")
    figures = evaluate.run(spec, whole)
    with pytest.raises(Stopped, match="goes on from there"):
        evaluate.run(spec, StoppingRunDir(tmp_path / "first", after_answers=after_answers))
    second = RunDir(tmp_path / "second", resume_from=[tmp_path / "first"])
    assert evaluate.run(spec, second) == figures
    assert eval_bytes(second) == eval_bytes(whole)
    done = [event["done"] for event in read_events(second) if event["type"] == "progress"]
    assert done[0] > after_answers - 4  # at most the unfinished part is drawn again


def test_checkpoints_come_by_the_clock(spec, in_small_parts, run_dir):
    evaluate.run(dataclasses.replace(spec, checkpoint_every_s=0.0), run_dir)
    names = sorted(folder.name for folder in run_dir.path.glob("checkpoints/step-*"))
    assert names == ["step-00000012", "step-00000013"]


def test_nothing_is_kept_before_there_is_something_to_keep(spec, run_dir, monkeypatch):
    kept = []
    monkeypatch.setattr(run_dir, "save_checkpoint", lambda step, _write: kept.append(step))
    evaluate.run(dataclasses.replace(spec, checkpoint_every_s=0.0), run_dir)
    assert kept == [1, 2, 3, 4]


def test_a_stop_is_heard_between_groups_of_answers(spec, run_dir):
    run_dir.request_stop()
    with pytest.raises(Stopped):
        evaluate.run(spec, run_dir)
