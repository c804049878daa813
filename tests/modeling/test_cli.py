import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modeling.cli import STAGE_FUNCTIONS, TOOLS
from modeling.flags import spec_from_command
from modeling.rundir import RunDir
from modeling.spec import STAGES, ExitCode, RunResult
from tests.modeling.conftest import read_events


def modeling(*args, **environment):
    return subprocess.run(
        [sys.executable, "-m", "modeling", *map(str, args)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        timeout=120,
        check=False,
    )


@pytest.fixture
def texts(write_jsonl):
    return write_jsonl([{"text": f"The red fox number {n} lives in the old forest."} for n in range(50)]).path


def test_help_names_every_stage_and_tool_in_well_under_a_second():
    started = time.monotonic()
    answer = modeling("--help", PYTHONVERBOSE="")
    assert time.monotonic() - started < 2  # 0.2 s on an idle machine; torch alone takes more than this allows for
    assert answer.returncode == ExitCode.OK
    for name in (*STAGES, *TOOLS):
        assert f"\n  {name} " in answer.stdout


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        *([name, "--help"] for name in (*STAGES, *TOOLS)),
        ["sft", "--run-dir", "RUN", "--base", "x"],
        ["serve"],
    ],
    ids=" ".join,
)
def test_help_and_wrong_input_load_no_torch(tmp_path, argv):
    code = (
        "import contextlib, sys; from modeling.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({[arg.replace('RUN', str(tmp_path)) for arg in argv]})\n"
        "assert not {'torch', 'transformers', 'numpy'} & sys.modules.keys()"
    )
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout or answer.stderr


def test_the_table_knows_every_stage_of_the_specification():
    assert set(STAGE_FUNCTIONS) == set(STAGES)


def test_a_stages_help_lists_its_fields_and_where_to_work():
    answer = modeling("sft", "--help").stdout
    for flag in ("--run-dir", "--resume-from", "--detached", "--dialogues", "--lora.rank", "--learning-rate"):
        assert flag in answer


def test_an_unknown_stage_is_one_sentence():
    answer = modeling("train")
    assert answer.returncode == ExitCode.BAD_INPUT
    assert answer.stderr == f"There is no stage or tool 'train'. Choose one of: {', '.join((*STAGES, *TOOLS))}.\n"


def test_a_stage_without_a_folder_is_one_sentence():
    answer = modeling("tokenizer", "--texts", "x")
    assert (answer.returncode, answer.stderr) == (2, "Name the folder to work in: --run-dir DIR.\n")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--vocab-size", "many"], "Error parsing --vocab-size: invalid literal"),
        (["--colour", "red"], "--colour"),
        (["--vocab-size", "5"], "vocab_size must be between 300 and 200000."),
        (["--texts", "/nowhere.jsonl"], "/nowhere.jsonl does not exist."),
    ],
)
def test_wrong_input_is_one_sentence_and_an_error_event(tmp_path, texts, flags, reason):
    answer = modeling("tokenizer", "--run-dir", tmp_path / "run", "--texts", texts, *flags)
    assert answer.returncode == ExitCode.BAD_INPUT
    assert reason in answer.stderr
    assert answer.stderr.count("\n") == 1
    (event,) = read_events(tmp_path / "run")
    assert event["type"] == "error"
    assert event["text"] == answer.stderr.strip()


def test_a_run_records_its_spec_with_pinned_files_and_flags_win_over_the_given_one(tmp_path, texts):
    (tmp_path / "spec.json").write_text(json.dumps({"stage": "tokenizer", "texts": [{"path": texts}], "seed": 4}))
    answer = modeling("tokenizer", "--run-dir", tmp_path, "--vocab-size", 300)
    assert answer.returncode == ExitCode.OK, answer.stderr
    spec = json.loads((tmp_path / "spec.json").read_text())
    assert (spec["stage"], spec["vocab_size"], spec["seed"]) == ("tokenizer", 300, 4)
    assert len(spec["texts"][0]["sha256"]) == 64
    result = RunResult.read(tmp_path)
    assert "tokenizer.json" in result.artifacts["tokenizer"].files
    assert result.metrics["vocab_size"] == 300


def test_a_file_that_need_not_be_there_is_a_plain_path_too(tmp_path, texts):
    flags = ["--base", "b", "--preferences", texts]
    plain = spec_from_command("dpo", flags, RunDir(tmp_path / "plain"))
    assert plain.prompts is None
    sampled = spec_from_command("dpo", [*flags, "--reward", "r", "--prompts", texts], RunDir(tmp_path / "sampled"))
    assert (sampled.prompts.path, len(sampled.prompts.sha256)) == (texts, 64)
    assert spec_from_command("dpo", ["--seed", "3"], RunDir(tmp_path / "sampled")).prompts == sampled.prompts
    assert spec_from_command("dpo", ["--seed", "3"], RunDir(tmp_path / "plain")).prompts is None


def test_a_finished_run_is_not_run_again(tmp_path):
    (tmp_path / "result.json").write_text("{}")
    answer = modeling("tokenizer", "--run-dir", tmp_path)
    assert answer.returncode == ExitCode.OK
    assert "already holds a result" in answer.stdout


def test_a_spec_of_another_stage_or_a_changed_file_is_refused(tmp_path, texts):
    (tmp_path / "spec.json").write_text(json.dumps({"stage": "sft", "base": "b", "dialogues": [{"path": texts}]}))
    assert "is for stage 'sft', not 'tokenizer'" in modeling("tokenizer", "--run-dir", tmp_path).stderr
    spec = {"stage": "tokenizer", "texts": [{"path": texts, "sha256": "0" * 64}]}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert "has changed since the run was made" in modeling("tokenizer", "--run-dir", tmp_path).stderr


def test_an_attempt_under_other_settings_is_not_resumed(tmp_path, texts):
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    (first / "spec.json").write_text(json.dumps({"stage": "tokenizer", "texts": [{"path": texts}], "seed": 1}))
    answer = modeling("tokenizer", "--run-dir", second, "--texts", texts, "--resume-from", first)
    assert answer.returncode == ExitCode.BAD_INPUT
    assert "was run with other settings" in answer.stderr


def test_the_process_dies_with_its_parent(tmp_path):
    child = (
        "from modeling.process import process_settle; import time; process_settle(die_with_parent=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        "print(child.pid, flush=True); time.sleep(1)\n"
    )
    answer = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    pid = int(answer.stdout)
    for _ in range(50):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the child outlived its parent")
