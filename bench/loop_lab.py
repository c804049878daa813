"""Rounds without the web: sample, rank by simulated annotators, train a reward model and a policy, evaluate.

    python -m bench.loop_lab --base DIR --prompts prompts.jsonl --work DIR --seeds 1 2 3 --recipe ppo \
        --set ppo.kl_coef=0.1 --set reward.epochs=3 --rounds 3

A round ranks fresh prompts, answered by the two newest policies and by SFT as a batch of the product is. The reward
model starts afresh on all rankings so far; so does the policy, or it goes on from the last one with --start continue.
What a stage makes is kept under --work by the hash of its specification, so that a change of the policy's settings does
not train the reward model again. Prints a table; the last line is one JSON object.
"""

import argparse
import dataclasses
import hashlib
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from alignment.domain.sampling import answers_wanted, plan_even
from modeling.data.chat import encode_prompt
from modeling.data.prompts import Prompt, read_prompts
from modeling.device import pick_device, seed_everything
from modeling.errors import ModelingError
from modeling.evaluation import evaluate
from modeling.evaluation.judges import gold_function
from modeling.model.adapters import load_adapter
from modeling.model.base import load_base, load_tokenizer
from modeling.rundir import RunDir
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import DPOSpec, EvaluateSpec, FileRef, GRPOSpec, PPOSpec, RewardSpec, RFTSpec, RLOOSpec, Spec
from modeling.training import dpo, ppo, reward, rft, rloo

N_ANSWERS = 4
TEMPERATURE = 0.35
STAGES: dict[str, Callable[..., dict]] = {
    "reward": reward.run, "dpo": dpo.run, "rloo": rloo.run, "grpo": rloo.run, "ppo": ppo.run, "rft": rft.run,
    "evaluate": evaluate.run,
}  # fmt: skip
ONLINE: dict[str, type[Spec]] = {spec.stage: spec for spec in (PPOSpec, RLOOSpec, GRPOSpec, RFTSpec)}
SHOWN = (
    "seed", "round", "reward_accuracy", "win_rate", "best_of_4", "kl_nats", "oracle_share", "mean_tokens",
    "sft_mean_tokens", "cut_share", "sft_cut_share", "distinct_share",
    "sft_distinct_share", "well_formed_share", "sft_well_formed_share", "seconds",
)  # fmt: skip


def main() -> None:
    options = parse_options()
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    splits = {name: write_split(options.prompts, name, work) for name in ("ranked", "pool", "heldout")}
    results = []
    print("  ".join(f"{name[:10]:>10}" for name in SHOWN), flush=True)
    for seed in options.seeds:
        files, policies = [], []
        for number in range(1, options.rounds + 1):
            try:
                row = one_round(options, seed, number, work, splits, files, policies)
            except ModelingError as error:
                print(f"{seed:>10}  {type(error).__name__}: {error}", flush=True)
                results.append({"seed": seed, "round": number, "error": str(error)})
                break
            print("  ".join(f"{row.get(name, math.nan):>10.3f}" for name in SHOWN), flush=True)
            results.append(row)
    means = []
    for number in range(1, options.rounds + 1):
        good = [row for row in results if "error" not in row and row["round"] == number]
        means.append({name: statistics.fmean(row[name] for row in good) for name in SHOWN if good and name in good[0]})
        print("  ".join(f"{means[-1].get(name, math.nan):>10.3f}" for name in SHOWN))
    print(
        json.dumps(
            {"gold": options.gold, "recipe": options.recipe, "set": options.set, "means": means, "rows": results}
        )
    )


def one_round(
    options: argparse.Namespace, seed: int, number: int, work: Path, splits: dict[str, Path], files: list[Path],
    policies: list[Path],
) -> dict:  # fmt: skip
    """Return a round's figures; adds its rankings and its policy to those of the earlier rounds."""

    def overrides(stage: str) -> dict:
        pairs = (item.split("=", 1) for item in options.set)
        return {name.split(".", 1)[1]: json.loads(value) for name, value in pairs if name.startswith(stage + ".")}

    started = time.monotonic()
    preferences, label_accuracy = rankings(options, seed, work, splits["ranked"], number=number, policies=policies)
    files.append(preferences)
    seconds = {}

    def stage(spec_class: type[Spec], artifact: str, **fields: object) -> tuple[Path, dict]:
        name = spec_class.stage
        spec = spec_class.from_json(json.loads(json.dumps({"seed": seed, **fields, **overrides(name)})))
        folder = work / f"{name}-{hashlib.sha256(json.dumps(spec.to_json()).encode()).hexdigest()[:16]}"
        if not (folder / "lab.json").exists():
            begun = time.monotonic()
            seed_everything(seed)
            metrics = STAGES[name](spec, RunDir(folder))
            metrics["stage_s"] = round(time.monotonic() - begun, 1)
            (folder / "lab.json").write_text(json.dumps(metrics))
        metrics = json.loads((folder / "lab.json").read_text())
        seconds[name] = metrics.pop("stage_s")
        return folder / "artifacts" / artifact, metrics

    pinned = [dataclasses.asdict(FileRef.pin(file)) for file in files]
    reward_path, reward_metrics = stage(RewardSpec, "reward", base=options.base, preferences=pinned)
    pool = dataclasses.asdict(FileRef.pin(splits["pool"]))
    if options.recipe in ONLINE:
        start = {"adapter": str(policies[-1])} if options.start == "continue" and policies else {}
        adapter, metrics = stage(
            ONLINE[options.recipe], "adapter", base=options.base, reward=str(reward_path), prompts=pool, **start
        )
    else:
        sampled = {"reward": str(reward_path), "prompts": pool}
        adapter, metrics = stage(DPOSpec, "adapter", base=options.base, preferences=pinned, **sampled)
    policies.append(adapter)
    snapshots = adapter.parent / "snapshots"
    _, figures = stage(
        EvaluateSpec, "eval.jsonl", base=options.base, policy=str(adapter), reward=str(reward_path), gold=options.gold,
        prompts=dataclasses.asdict(FileRef.pin(splits["heldout"])),
        snapshots=str(snapshots) if snapshots.is_dir() else "",
    )  # fmt: skip
    return {
        "seed": seed, "round": number, "label_accuracy": label_accuracy, **reward_metrics, **metrics, **figures,
        "stages_s": seconds, "seconds": time.monotonic() - started,
    }  # fmt: skip


def rankings(
    options: argparse.Namespace, seed: int, work: Path, prompts_file: Path, *, number: int = 1,
    policies: Sequence[Path] = (),
) -> tuple[Path, float]:  # fmt: skip
    """Write preferences of `options.rankings` tasks; return the file and the share of pairs that gold agrees with.

    Each round has prompts of its own. The answers are shared between SFT and the two newest policies.
    """
    sources = [None, *policies[-2:]]
    named = "" if number == 1 else f" {number} {' '.join(map(str, sources))}"
    key = hashlib.sha256(f"{options.base} {options.gold} {options.rankings} {seed}{named}".encode()).hexdigest()[:16]
    file, note = work / f"preferences-{key}.jsonl", work / f"preferences-{key}.json"
    if note.exists():
        return file, json.loads(note.read_text())["label_accuracy"]
    prompts = list(read_prompts(FileRef(str(prompts_file))))
    generator = random.Random(f"lab-{seed}")
    prompts = generator.sample(prompts, min(options.rankings * number, len(prompts)))[options.rankings * (number - 1) :]
    wanted = list(answers_wanted(plan_even(range(len(sources))[::-1], N_ANSWERS), range(len(prompts))))
    distinct: list[dict[tuple[str, bool], None]] = [{} for _ in prompts]
    for number_of_source, source in enumerate(sources):
        asked = [item.prompt_id for item in wanted if item.source_id == number_of_source]
        found = sample_answers(options.base, [prompts[i] for i in asked], seed, source)
        for i, answer in zip(asked, found, strict=True):
            distinct[i][answer] = None
    answers = [list(group) for group in distinct]
    gold = gold_function(options.gold)
    scores = [[gold(prompt.text, text) for text, _ in group] for prompt, group in zip(prompts, answers, strict=True)]
    spread = statistics.pstdev(score for group in scores for score in group)
    n_pairs, n_right = 0, 0.0
    with file.open("w", encoding="utf-8") as stream:
        for prompt, group, golds in zip(prompts, answers, scores, strict=True):
            gumbels = [-math.log(-math.log(generator.random() or 0.5)) for _ in group]
            noisy = [score / spread / TEMPERATURE + noise for score, noise in zip(golds, gumbels, strict=True)]
            order = sorted(range(len(group)), key=lambda i: -noisy[i])
            for better, winner in enumerate(order):
                for loser in order[better + 1 :]:
                    n_pairs += 1
                    n_right += (golds[winner] > golds[loser]) + 0.5 * (golds[winner] == golds[loser])
                    stream.write(json.dumps(pair_row(prompt, group[winner], group[loser])) + "\n")
    note.write_text(json.dumps({"label_accuracy": n_right / n_pairs}))
    return file, n_right / n_pairs


def pair_row(prompt: Prompt, chosen: tuple[str, bool], rejected: tuple[str, bool]) -> dict:
    return {
        "prompt": list(prompt.messages), "prompt_id": prompt.id,
        "chosen": [{"role": "assistant", "content": chosen[0]}], "chosen_cut": chosen[1],
        "rejected": [{"role": "assistant", "content": rejected[0]}], "rejected_cut": rejected[1],
    }  # fmt: skip


def sample_answers(
    base: str, prompts: Sequence[Prompt], seed: int, adapter: Path | None = None
) -> list[tuple[str, bool]]:
    """Return an answer to each prompt by an adapter, or by the base for None, with whether it was cut."""
    device, tokenizer = pick_device(), load_tokenizer(base)
    model = load_base(base, device).eval()
    sampler = Sampler(load_adapter(model, adapter) if adapter else model, tokenizer, device)
    ids = [encode_prompt(tokenizer, prompt.messages) for prompt in prompts]
    seeds = [random.Random(f"lab-{seed}-{i}").getrandbits(48) for i in range(len(ids))]
    found = sampler.sample(ids, DecodingSettings(max_new_tokens=64), seeds)
    return [(completion.text, completion.finish_reason == "length") for completion in found]


def write_split(prompts: str, split: str, work: Path) -> Path:
    file = work / f"{split}.jsonl"
    lines = [
        line for line in Path(prompts).read_text(encoding="utf-8").splitlines() if json.loads(line)["split"] == split
    ]
    if not lines:
        sys.exit(f"{prompts} has no prompts of the split {split!r}.")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--prompts", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--gold", default="modeling.world.gold:score")
    parser.add_argument("--recipe", choices=(*ONLINE, "dpo"), default="ppo")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--rankings", type=int, default=300, help="in each round")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--start", choices=("fresh", "continue"), default="fresh")
    parser.add_argument("--set", action="append", default=[], metavar="stage.field=json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
