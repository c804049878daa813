import io
import json

import pytest

from config.round.annotators import Labels
from config.round.journal import Journal
from config.round.options import load_gold, parse
from config.round.report import FIGURES, keep_evaluation, report, write

ISSUE_FIELDS = {"total_s", "stages_s", "rankings", "label_accuracy", "reward_accuracy", "rounds"}


def judged(number=1):
    metrics = dict.fromkeys(FIGURES, 0.5) | {"sft_win_rate": 0.5, "sft_mean_tokens": 20.0, "sft_score": 1.0}
    return {
        "number": number,
        "evaluation": {"metrics": metrics, "passed": True, "reasons": []},
        "runs": [
            {"id": 7, "purpose": "reward", "metrics": {"reward_accuracy": 0.71234}},
            {"id": 9, "purpose": "evaluate", "attempt": 2, "metrics": {}},
        ],
    }


def test_the_last_line_has_exactly_the_agreed_fields():
    labels = Labels()
    labels.add(5, 6)
    result = report(Journal(io.StringIO()), labels, [judged()])

    assert set(result) == ISSUE_FIELDS
    assert result["rankings"] == 1
    assert result["label_accuracy"] == pytest.approx(0.8333)
    assert result["reward_accuracy"] == 0.7123
    (line,) = result["rounds"]
    assert {"round", *FIGURES} <= set(line)
    assert line["sft_mean_tokens"] == 20.0
    assert "sft_score" not in line


def test_a_figure_that_the_judge_cannot_give_is_null():
    round_ = judged()
    del round_["evaluation"]["metrics"]["oracle_share"]

    assert report(Journal(io.StringIO()), Labels(), [round_])["rounds"][0]["oracle_share"] is None


def test_the_evaluation_is_kept_for_anybody_to_compute_again(tmp_path):
    for attempt, text in ((1, "old"), (2, "new")):
        folder = tmp_path / "runs" / "9" / str(attempt) / "artifacts"
        folder.mkdir(parents=True)
        (folder / "eval.jsonl").write_text(text)

    keep_evaluation(judged(), runs=tmp_path / "runs", out=tmp_path)

    assert (tmp_path / "eval.jsonl").read_text() == (tmp_path / "eval-round-1.jsonl").read_text() == "new"


def test_the_line_is_kept_beside_the_evaluation(tmp_path):
    line = write({"total_s": 1.0}, tmp_path)
    assert json.loads(line) == json.loads((tmp_path / "result.json").read_text()) == {"total_s": 1.0}


def test_wall_time_belongs_to_the_stage_that_was_named_last(monkeypatch):
    clock = iter([0.0, *range(1, 100)])
    monkeypatch.setattr("config.round.journal.time.monotonic", lambda: next(clock))
    journal = Journal(io.StringIO())

    for name in ("pretrain", "pretrain", "sft", "pretrain"):
        journal.stage(name)
    journal.close()

    assert list(journal.stages_s) == ["pretrain", "sft"]
    assert all(seconds > 0 for seconds in journal.stages_s.values())


def test_options_are_refused_with_a_sentence(tmp_path, capsys):
    (tmp_path / "recipe.json").write_text("[1]")
    for arguments, message in [
        (["--recipe", str(tmp_path / "recipe.json")], "must hold one JSON object"),
        (["--recipe", str(tmp_path / "missing.json")], "No such file"),
        (["--gold", "no_such_module:score"], "No module named"),
        (["--gold", "math"], "module:function"),
        (["--rounds", "0"], "must be at least 1"),
    ]:
        with pytest.raises(SystemExit):
            parse(arguments)
        assert message in capsys.readouterr().err


def test_a_gold_function_is_found_by_its_name():
    assert load_gold("math:hypot")(3, 4) == 5
