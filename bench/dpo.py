"""How fast our `dpo` and `reward` stages train beside plain trl scripts: `make bench-dpo`.

One paired run: each training is a process of its own, ours and trl's take turns, the same pairs in the same batches at
the same dtype and without checkpoints. trl gets its best of the reference's log-probabilities computed beforehand or on
the way, and of one thread or all. Held-out losses on other prompts stand beside. The last line is one JSON object.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.demo_base import demo_base
from bench.loop_lab import rankings, write_split

PAIRS_OF_RANKING = 6
N_ASKED = 480
"""Prompts whose answers are ranked; those with four different, finished answers are kept."""
VARIANTS = {"dpo": ("trl-dpo", "trl-dpo-precomputed"), "reward": ("trl-reward",)}


def main() -> None:
    options = parse_options()
    with tempfile.TemporaryDirectory() as made:
        work = Path(options.work or made)
        work.mkdir(parents=True, exist_ok=True)
        base, prompts = (Path(options.base), Path(options.prompts)) if options.base else demo_base(work / "demo")
        n_trained = options.prompts_trained
        files = ["--base", str(base), *preferences(base, prompts, work, n_trained)]
        few = ["--base", str(base), *preferences(base, prompts, work, n_trained // 4)]
        table: dict[str, list[dict]] = {}
        for stage, variants in VARIANTS.items():
            best = choose(stage, variants, few, work)
            for seed in range(1, options.seeds + 1):
                sides = [f"ours-{stage}", best]
                for side in sides if seed % 2 else reversed(sides):
                    table.setdefault(side.split("-")[0] + stage, []).append(train(side, files, work, seed))
                    print(f"{stage} seed {seed} {side}: {line(table[side.split('-')[0] + stage][-1])}", flush=True)
        result = {"bench": "dpo", "seeds": options.seeds}
        for stage in VARIANTS:
            ours, peer = table[f"ours{stage}"], table[f"trl{stage}"]
            result |= {
                f"{stage}_speed_ratio": round(mean(ours, "speed") / mean(peer, "speed"), 2),
                f"{stage}_pairs_per_s": round(mean(ours, "speed"), 1),
                f"peer_{stage}_pairs_per_s": round(mean(peer, "speed"), 1),
                f"{stage}_heldout_loss": round(mean(ours, "heldout_loss"), 4),
                f"peer_{stage}_heldout_loss": round(mean(peer, "heldout_loss"), 4),
            }
        print(json.dumps(result))


def choose(stage: str, variants: tuple[str, ...], files: list[str], work: Path) -> str:
    """Return the way in which trl trains a part of the pairs fastest, as a side and its number of threads."""
    speeds = {}
    for side in variants:
        for threads in ("", ":1"):
            found = train(side + threads, files, work, 0)
            speeds[side + threads] = found["speed"]
            print(f"{stage}, choosing trl's best: {side + threads:24} {line(found)}", flush=True)
    return max(speeds, key=lambda side: speeds[side])


def train(side: str, files: list[str], work: Path, seed: int) -> dict:
    """Train in a process of its own. Returns its figures and its pairs per second."""
    name, _, threads = side.partition(":")
    with tempfile.TemporaryDirectory(dir=work) as out:
        command = [sys.executable, "-m", "bench.dpo_sides", name, *files, "--out", out, "--seed", str(seed)]
        environment = os.environ | {
            "OMP_WAIT_POLICY": "passive",
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "true",
        }
        done = subprocess.run(
            [*command, *(["--threads", threads] if threads else [])], env=environment, stdout=subprocess.PIPE,
            text=True, check=True,
        )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    return found | {"speed": found["pairs"] / found["seconds"]}


def preferences(base: Path, prompts: Path, work: Path, n_trained: int) -> list[str]:
    """Write rankings of the base's own answers, to train on and to test on; return them as options."""
    lab = argparse.Namespace(base=str(base), gold="modeling.world.gold:score", rankings=N_ASKED)
    file, _ = rankings(lab, 0, work, write_split(str(prompts), "ranked", work))
    by_prompt: dict[str, list[str]] = {}
    for text in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        if not (row["chosen_cut"] or row["rejected_cut"]):
            by_prompt.setdefault(row["prompt_id"], []).append(text)
    whole = [lines for lines in by_prompt.values() if len(lines) == PAIRS_OF_RANKING]
    if len(whole) <= n_trained:
        sys.exit(f"Only {len(whole)} prompts have four different, finished answers: train a better base.")
    parts = {"--train": whole[:n_trained], "--heldout": whole[n_trained:]}
    options = []
    for name, groups in parts.items():
        path = work / f"{name.strip('-')}-{n_trained}.jsonl"
        path.write_text("".join(text + "\n" for group in groups for text in group), encoding="utf-8")
        options += [name, str(path)]
    return options


def mean(rows: list[dict], name: str) -> float:
    return statistics.fmean(row[name] for row in rows)


def line(found: dict) -> str:
    return f"{found['seconds']:6.1f} s {found['speed']:7.1f} pairs/s, held-out loss {found['heldout_loss']:.4f}"


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="", help="a base of the demo world; made first when not given")
    parser.add_argument("--prompts", default="", help="its prompts.jsonl")
    parser.add_argument("--work", default="", help="keep what is made here; without, a temporary folder")
    parser.add_argument("--prompts-trained", type=int, default=180)
    parser.add_argument("--seeds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
