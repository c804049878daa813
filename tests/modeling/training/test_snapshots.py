import pytest

from modeling.errors import Stopped
from modeling.rundir import RunDir
from modeling.spec import LoraSpec, PPOSpec, RLOOSpec, SpecError
from modeling.training import ppo, rloo
from modeling.training.snapshots import Snapshots
from tests.modeling.stopping import StoppingRunDir, folder_bytes


@pytest.fixture(params=[(RLOOSpec, rloo.run), (PPOSpec, ppo.run)], ids=["rloo", "ppo"])
def training(request, loud_base, reward_folder, write_jsonl):
    spec_class, stage = request.param
    prompts = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"What eats {i}?"}]} for i in range(4)]
    spec = spec_class(
        base=str(loud_base), reward=str(reward_folder), prompts=write_jsonl(prompts, "prompts.jsonl"),
        lora=LoraSpec(rank=2, alpha=4), n_steps=6, snapshots=3, prompts_per_step=2, samples_per_prompt=2,
        max_new_tokens=6, learning_rate=2e-2, seed=3,
    )  # fmt: skip
    return spec, stage


def snapshot_bytes(run):
    return {folder.name: folder_bytes(folder) for folder in (run.path / "artifacts/snapshots").iterdir()}


def test_adapters_on_the_way_are_kept_the_last_of_which_is_the_result(training, run_dir):
    spec, stage = training
    stage(spec, run_dir)
    kept = snapshot_bytes(run_dir)
    assert sorted(kept) == ["2", "4", "6"]
    assert kept["6"] == folder_bytes(run_dir.path / "artifacts/adapter")
    assert kept["2"] != kept["4"] != kept["6"]


@pytest.mark.parametrize("after_steps", [1, 2, 5])
def test_a_stopped_run_ends_with_the_same_snapshots(training, tmp_path, after_steps):
    spec, stage = training
    whole = RunDir(tmp_path / "whole")
    stage(spec, whole)
    with pytest.raises(Stopped):
        stage(spec, StoppingRunDir(tmp_path / "first", after_steps=after_steps))
    second = RunDir(tmp_path / "second", resume_from=[tmp_path / "first"])
    stage(spec, second)
    assert snapshot_bytes(second) == snapshot_bytes(whole)


def test_no_snapshots_are_kept_unless_asked_for(run_dir):
    snapshots = Snapshots(run_dir, lambda _folder: pytest.fail("nothing to keep"), n=0, n_steps=5)
    for n_done in range(1, 6):
        snapshots.keep_if_due(n_done)
    snapshots.publish()
    assert not (run_dir.path / "artifacts").exists()


def test_a_half_written_snapshot_is_written_again(run_dir):
    snapshots = Snapshots(run_dir, lambda folder: (folder / "a").write_text("whole"), n=1, n_steps=1)
    cut_off = run_dir.path / "snapshots/step-00000001.tmp"
    cut_off.mkdir(parents=True)
    (cut_off / "a").write_text("who")
    again = RunDir(run_dir.path)
    assert not cut_off.exists()
    snapshots.run = again
    snapshots.keep_if_due(1)
    snapshots.publish()
    assert (run_dir.path / "artifacts/snapshots/1/a").read_text() == "whole"


def test_more_snapshots_than_steps_are_refused():
    with pytest.raises(SpecError, match="snapshots must be between 0 and n_steps"):
        RLOOSpec.from_json({"base": "b", "reward": "r", "prompts": {"path": "p"}, "n_steps": 3, "snapshots": 4})
