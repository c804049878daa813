import json
import os
import signal

import pytest

from modeling.rundir import COMPLETE, RunDir
from modeling.spec import RunResult
from tests.modeling.conftest import read_events


def write_weights(text):
    def write(folder):
        (folder / "weights").write_text(text)

    return write


def finish(run):
    return run.finish(
        stage="sft", seed=3, metrics={"loss": 1.0}, versions={"torch": "2"}, device="cpu", dtype="float32"
    )


def test_events_are_one_json_object_a_line_with_a_time(run_dir):
    run_dir.message('two\nlines and a "quote"')
    run_dir.metrics(7, loss=2.5)
    message, metrics = read_events(run_dir)
    assert message["type"] == "message"
    assert message["text"] == 'two\nlines and a "quote"'
    assert (metrics["step"], metrics["values"]) == (7, {"loss": 2.5})
    assert metrics["t"] > 1.7e9


def test_progress_is_throttled_but_the_end_is_always_said(run_dir):
    for done in range(1, 1001):
        run_dir.progress(done, 1000)
    events = read_events(run_dir)
    assert len(events) < 50
    assert (events[0]["done"], events[-1]["done"]) == (1, 1000)


def test_a_checkpoint_appears_whole_and_the_newest_two_are_kept(run_dir):
    for step in (5, 10, 200):
        run_dir.save_checkpoint(step, write_weights(str(step)))
    newest = run_dir.newest_checkpoint()
    assert (newest / "weights").read_text() == "200"
    assert [folder.name for folder in sorted(newest.parent.iterdir())] == ["step-00000010", "step-00000200"]


def test_a_checkpoint_whose_writing_failed_does_not_count(run_dir):
    run_dir.save_checkpoint(5, write_weights("good"))

    def fail(folder):
        (folder / "weights").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_dir.save_checkpoint(6, fail)
    assert run_dir.newest_checkpoint().name == "step-00000005"


def test_a_folder_without_the_marker_is_not_a_checkpoint(run_dir):
    run_dir.save_checkpoint(5, write_weights("good"))
    later = run_dir.save_checkpoint(6, write_weights("cut off"))
    (later / COMPLETE).unlink()
    assert run_dir.newest_checkpoint().name == "step-00000005"


def test_the_furthest_checkpoint_of_all_attempts_wins(tmp_path):
    first = RunDir(tmp_path / "1")
    first.save_checkpoint(9, write_weights("first"))
    second = RunDir(tmp_path / "2", resume_from=[tmp_path / "1"])
    assert second.newest_checkpoint().parent.parent == first.path
    second.save_checkpoint(12, write_weights("second"))
    assert second.newest_checkpoint().name == "step-00000012"


def test_what_a_killed_attempt_left_in_the_folder_is_swept(tmp_path):
    run = RunDir(tmp_path)
    (run.artifact("base") / "stale.bin").write_text("x")
    (tmp_path / "checkpoints" / "step-00000003.tmp").mkdir(parents=True)
    again = RunDir(tmp_path)
    assert not (tmp_path / "artifacts").exists()
    assert again.newest_checkpoint() is None


def test_a_finished_runs_artifacts_are_never_swept(run_dir):
    run_dir.artifact("texts.jsonl").write_text("abc")
    finish(run_dir)
    assert (RunDir(run_dir.path).path / "artifacts" / "texts.jsonl").exists()


def test_the_result_names_every_artifact_file_with_its_hash(run_dir):
    (run_dir.artifact("base") / "config.json").write_text("{}")
    run_dir.artifact("texts.jsonl").write_text("abc")
    finish(run_dir)
    result = RunResult.read(run_dir.path)
    assert result.artifacts["base"].path == "artifacts/base"
    assert set(result.artifacts["base"].files) == {"config.json"}
    # sha256 of "abc": FIPS 180-2, appendix B.1.
    assert result.artifacts["texts.jsonl"].files == {
        "texts.jsonl": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    }
    assert (result.seed, result.metrics, result.dtype) == (3, {"loss": 1.0}, "float32")


def test_artifacts_can_be_read_by_other_accounts(run_dir):
    weights = run_dir.artifact("base") / "model.safetensors"
    weights.write_text("w")
    weights.chmod(0o600)
    finish(run_dir)
    assert weights.stat().st_mode & 0o777 == 0o644


def test_the_result_leaves_no_temporary_file(run_dir):
    finish(run_dir)
    assert json.loads((run_dir.path / "result.json").read_text())["stage"] == "sft"
    assert [item.name for item in run_dir.path.iterdir()] == ["result.json"]


def test_a_signal_asks_for_a_stop_and_a_second_one_ends_the_process(run_dir):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        run_dir.stop_on_signals()
        assert not run_dir.should_stop
        os.kill(os.getpid(), signal.SIGTERM)
        assert run_dir.should_stop
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
