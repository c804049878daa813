"""Our PPO against trl 1.12's PPOTrainer in one paired run: `python -m bench.ppo [--base DIR --prompts FILE] [--quick]`.

Both train on the same number of sampled answers of the same base, scored by the same reward model, each alone in a
process of its own, one after the other; who goes first alternates. Both policies are then evaluated in the same way:
answers at temperature 1 to held-out prompts, judged by the hidden gold score. Without --base the demo base is made
first (three minutes). The peer's environment is made here: trl 1.12.0 over the packages of the product. Seconds and
memory begin after the imports, and contain loading and saving. The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

from bench.loop_lab import rankings, write_split
from modeling.device import seed_everything
from modeling.evaluation import evaluate
from modeling.rundir import RunDir
from modeling.spec import (
    CorpusSpec,
    EvaluateSpec,
    FileRef,
    PretrainSpec,
    RewardSpec,
    SFTSpec,
    Spec,
    TokenizerSpec,
)
from modeling.training import pretrain, reward, sft, tokenizer
from modeling.world import corpus

ROOT = Path(__file__).parents[1]
PEER = "trl==1.12.0"
GOLD = "modeling.world.gold:score"
STAGES = {
    "corpus": corpus.run, "tokenizer": tokenizer.run, "pretrain": pretrain.run, "sft": sft.run, "reward": reward.run,
    "evaluate": evaluate.run,
}  # fmt: skip
FIGURES = ("samples_per_s", "memory_mb", "win_rate", "kl_nats", "mean_tokens", "distinct_share", "seconds")
Figures = dict[str, float]


def main() -> None:
    options = parse_options()
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    if not options.base:
        make_base(options, work)
    splits = {name: write_split(options.prompts, name, work) for name in ("ranked", "pool", "heldout")}
    python = {"ours": sys.executable, "peer": peer_python(work / "peer")}
    scorer = train_reward(options, work, splits["ranked"])
    rows: dict[str, list[Figures]] = {"ours": [], "peer": []}
    print("  ".join(f"{name:>14}" for name in ("seed", "side", *FIGURES)), flush=True)
    for number, seed in enumerate(options.seeds):
        for side in sorted(python, reverse=number % 2 == 1):
            row = train(side, python[side], options, work, seed, reward=scorer, pool=splits["pool"])
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


def train(
    side: str, python: str, options: argparse.Namespace, work: Path, seed: int, *, reward: Path, pool: Path
) -> dict[str, Any]:
    """Run one side's training in a process of its own and return its figures and the adapter's folder."""
    task = {
        "base": options.base, "reward": str(reward), "prompts": str(pool), "seed": seed, "n_updates": options.updates,
        "out": str(work / f"{side}-{seed}-{options.updates}"), "bf16": options.peer_bf16,
    }  # fmt: skip
    environment = os.environ | {
        "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1",
        "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }  # fmt: skip
    done = subprocess.run(
        [python, "-W", "ignore", "-m", f"bench.ppo_{side}", json.dumps(task)], env=environment, cwd=ROOT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def judge(side: str, adapter: str, options: argparse.Namespace, work: Path, seed: int, *, heldout: Path) -> Figures:
    spec = EvaluateSpec(
        base=options.base, policy=adapter, gold=GOLD, prompts=FileRef.pin(heldout), n_prompts=options.n_prompts,
        seed=seed, n_oracle_prompts=0,
    )  # fmt: skip
    figures = stage(spec, work / f"evaluate-{side}-{seed}-{options.updates}")
    return {name: figures[name] for name in ("win_rate", "kl_nats", "mean_tokens", "distinct_share")}


def train_reward(options: argparse.Namespace, work: Path, ranked: Path) -> Path:
    """Train the reward model that both sides climb, on simulated rankings, as `bench/loop_lab.py` does."""
    lab = argparse.Namespace(base=options.base, gold=GOLD, rankings=300)
    preferences, _ = rankings(lab, 1, work, ranked)
    stage(RewardSpec(base=options.base, preferences=(FileRef.pin(preferences),), folds=2, seed=1), work / "reward")
    return work / "reward" / "artifacts" / "reward"


def make_base(options: argparse.Namespace, work: Path) -> None:
    """Make the demo world and its base, unless an earlier run left them."""
    made = {name: work / name / "artifacts" for name in ("corpus", "tokenizer", "pretrain", "sft")}
    stage(CorpusSpec(), work / "corpus")
    texts = (FileRef(str(made["corpus"] / "texts.jsonl")),)
    stage(TokenizerSpec(texts=texts), work / "tokenizer")
    stage(PretrainSpec(texts=texts, tokenizer=str(made["tokenizer"] / "tokenizer")), work / "pretrain")
    dialogues = (FileRef(str(made["corpus"] / "dialogues.jsonl")),)
    stage(SFTSpec(base=str(made["pretrain"] / "base"), dialogues=dialogues), work / "sft")
    options.base, options.prompts = str(made["sft"] / "base"), str(made["corpus"] / "prompts.jsonl")


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
    parser.add_argument("--peer-bf16", action="store_true", help="bfloat16 for the peer too; on two cores it is slower")
    parser.add_argument("--quick", action="store_true", help="one seed, 15 updates, 150 prompts")
    options = parser.parse_args()
    if bool(options.base) != bool(options.prompts):
        parser.error("--base and --prompts belong together")
    if options.quick:
        options.seeds, options.updates, options.n_prompts = options.seeds[:1], 15, 150
    return options


if __name__ == "__main__":
    main()
