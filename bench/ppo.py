"""Our PPO against trl 1.12's PPOTrainer in one paired run: `python -m bench.ppo [--base DIR --prompts FILE] [--quick]`.

Both train on the same number of sampled answers of the same base, scored by the same reward model, each alone in a
process of its own, one after the other; who goes first alternates. Both policies are then evaluated in the same way:
answers at temperature 1 to held-out prompts, judged by the hidden gold score. Without --base the demo base is made
first (two minutes). The peer's environment is made here: trl 1.12.0 over the packages of the product; it computes in
the dtype in which it is faster. Seconds and memory begin after the imports, and contain loading and saving. The last
line is one JSON object.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.demo_base import demo_base
from bench.loop_lab import rankings, write_split
from modeling.device import seed_everything
from modeling.evaluation import evaluate
from modeling.rundir import RunDir
from modeling.spec import EvaluateSpec, FileRef, RewardSpec, Spec
from modeling.training import reward

ROOT = Path(__file__).parents[1]
PEER = "trl==1.12.0"
GOLD = "modeling.world.gold:score"
PEER_KL_COEF = 0.08
"""Fixed, since trl follows no target."""
KL_TARGET_NATS = 5.8
"""Of ours. With both, policies end about as far from the base, 5.3 to 6.0 nats: only then can win rates be compared."""
STAGES: dict[str, Callable[..., dict[str, Any]]] = {"reward": reward.run, "evaluate": evaluate.run}
FIGURES = ("samples_per_s", "memory_mb", "win_rate", "kl_nats", "mean_tokens", "distinct_share", "seconds")
Figures = dict[str, float]


def main() -> None:
    options = parse_options()
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    if not options.base:
        options.base, options.prompts = map(str, demo_base(work / "demo"))
    splits = {name: write_split(options.prompts, name, work) for name in ("ranked", "pool", "heldout")}
    python = {"ours": sys.executable, "peer": peer_python(work / "peer")}
    scorer = train_reward(options, work, splits["ranked"])
    task = {
        "base": options.base, "reward": str(scorer), "prompts": str(splits["pool"]), "n_updates": options.updates,
        "peer_kl_coef": PEER_KL_COEF, "kl_target_nats": KL_TARGET_NATS, "work": str(work.resolve()),
    }  # fmt: skip
    task["bf16"] = faster_in_bf16(python["peer"], task)
    rows: dict[str, list[Figures]] = {"ours": [], "peer": []}
    print("  ".join(f"{name:>14}" for name in ("seed", "side", *FIGURES)), flush=True)
    for number, seed in enumerate(options.seeds):
        for side in sorted(python, reverse=number % 2 == 1):
            row = train(side, python[side], task, seed=seed)
            row |= judge(side, row.pop("adapter"), options, work, seed, heldout=splits["heldout"])
            rows[side].append(row)
            print("  ".join(f"{value:>14}" for value in (seed, side, *(f"{row[n]:.3f}" for n in FIGURES))), flush=True)
    print(json.dumps(summary(rows["ours"], rows["peer"]) | {"n_updates": options.updates, "seeds": options.seeds}))


def summary(ours: list[Figures], peer: list[Figures]) -> Figures:
    """Return the ratios of the means, and the means of what the policies are worth."""

    def mean(rows: list[Figures], name: str) -> float:
        return statistics.fmean(row[name] for row in rows)

    return {
        "speed_ratio": mean(peer, "seconds") / mean(ours, "seconds"),
        "memory_ratio": mean(ours, "memory_mb") / mean(peer, "memory_mb"),
        "win_rate": mean(ours, "win_rate"), "peer_win_rate": mean(peer, "win_rate"),
        "kl_nats": mean(ours, "kl_nats"), "peer_kl_nats": mean(peer, "kl_nats"),
        "samples_per_s": mean(ours, "samples_per_s"), "peer_samples_per_s": mean(peer, "samples_per_s"),
        "memory_mb": mean(ours, "memory_mb"), "peer_memory_mb": mean(peer, "memory_mb"),
    }  # fmt: skip


def train(side: str, python: str, task: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Run one side's training in a process of its own and return its figures and the adapter's folder."""
    task = task | changes
    out = Path(task["work"]) / f"{side}-{task['seed']}"
    shutil.rmtree(out, ignore_errors=True)  # or ours would go on from an earlier run's checkpoint
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1",
        "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }  # fmt: skip
    done = subprocess.run(
        [python, "-W", "ignore", "-m", f"bench.ppo_{side}", json.dumps(task | {"out": str(out)})], env=environment,
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def faster_in_bf16(python: str, task: dict[str, Any]) -> bool:
    """Return whether the peer is faster in bfloat16 than in float32, by a few updates in each."""
    seconds = [train("peer", python, task, bf16=bf16, n_updates=3, seed=0)["seconds"] for bf16 in (False, True)]
    print(f"the peer takes {seconds[0]:.1f} s for 3 updates in float32, {seconds[1]:.1f} s in bfloat16", flush=True)
    return seconds[1] < seconds[0]


def judge(side: str, adapter: str, options: argparse.Namespace, work: Path, seed: int, *, heldout: Path) -> Figures:
    spec = EvaluateSpec(
        base=options.base, policy=adapter, gold=GOLD, prompts=FileRef.pin(heldout), n_prompts=options.n_prompts,
        seed=seed, n_oracle_prompts=0,
    )  # fmt: skip
    folder = work / f"evaluate-{side}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    figures = stage(spec, folder)
    return {name: figures[name] for name in ("win_rate", "kl_nats", "mean_tokens", "distinct_share")}


def train_reward(options: argparse.Namespace, work: Path, ranked: Path) -> Path:
    """Train the reward model that both sides climb, on simulated rankings, as `bench/loop_lab.py` does."""
    lab = argparse.Namespace(base=options.base, gold=GOLD, rankings=300)
    preferences, _ = rankings(lab, 1, work, ranked)
    stage(RewardSpec(base=options.base, preferences=(FileRef.pin(preferences),), seed=1), work / "reward")
    return work / "reward" / "artifacts" / "reward"


def stage(spec: Spec, folder: Path) -> dict[str, Any]:
    """Run a stage in its folder, or return what an earlier run with the same specification found."""
    note = folder / "bench.json"
    wanted = json.loads(json.dumps(spec.to_json()))
    if note.exists() and (found := json.loads(note.read_text()))["spec"] == wanted:
        return dict(found["metrics"])
    print(f"{spec.stage} ...", flush=True)
    seed_everything(spec.seed)
    metrics = STAGES[spec.stage](spec, RunDir(folder))
    note.write_text(json.dumps({"spec": wanted, "metrics": metrics}))
    return metrics


def peer_python(folder: Path) -> str:
    """Make an environment with the peer in it over the product's packages, and return its interpreter."""
    python, done = folder / "bin" / "python", folder / PEER
    if not done.exists():
        venv.create(folder, clear=True, symlinks=True)
        packages = next(folder.glob("lib/python3*/site-packages"))
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages), PEER]
        subprocess.run(install, check=True)
        (packages / "product.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
        done.touch()
    return str(python)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="", help="an SFT base of the demo world; made when not given")
    parser.add_argument("--prompts", default="", help="prompts.jsonl of the same world")
    parser.add_argument("--work", default="var/bench/ppo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--updates", type=int, default=40, help="of 128 answers each")
    parser.add_argument("--n-prompts", type=int, default=400, help="held-out prompts of the evaluation, 4 answers each")
    parser.add_argument("--quick", action="store_true", help="one seed, 15 updates, 150 prompts")
    options = parser.parse_args()
    if bool(options.base) != bool(options.prompts):
        parser.error("--base and --prompts belong together")
    if options.quick:
        options.seeds, options.updates, options.n_prompts = options.seeds[:1], 15, 150
    return options


if __name__ == "__main__":
    main()
