"""How much do annotators who flip their labels cost, when nobody tells the training who they are?

    python -m bench.noisy_annotators --base DIR --prompts prompts.jsonl --seeds 1 2 3 4 5

Thirty annotators rank four answers of a prompt, three to a task, with Plackett-Luce noise on the hidden gold score; 30%
of them hand in the reverse of what they think. Reliabilities, weights and consensus are what `feedback/quality` makes
of the rankings alone. A reward model is trained on the rows of the honest alone, and on all rows with each source of
labels; its accuracy is the share of pairs of other prompts that it puts in the order of the gold score. Prints a
table; the last line is one JSON object.
"""

import argparse
import dataclasses
import json
import math
import random
import statistics
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from bench.loop_lab import N_ANSWERS, TEMPERATURE, sample_answers
from feedback.quality.report import quality_compute
from feedback.quality.votes import Tasks, Votes
from modeling.data.preferences import Judgment, Preference
from modeling.data.prompts import Prompt, read_prompts
from modeling.device import pick_device, seed_everything
from modeling.evaluation.judges import gold_function
from modeling.model.base import load_base, load_tokenizer
from modeling.model.reward import RewardModel, reward_model_new
from modeling.rundir import RunDir
from modeling.spec import FileRef, LabelSource, LabelSpec, RewardSpec
from modeling.training.comparisons import comparisons_build
from modeling.training.reward_fits import fits_plan
from modeling.training.reward_loop import RewardTraining
from modeling.training.weighting import comparisons_weigh

N_ANNOTATORS, OVERLAP, FLIPPING = 30, 3, 0.3
N_RANKED, N_TESTED = 360, 300
BATCH_PAIRS = 32 * OVERLAP
"""As many prompts in a batch as by default, whose pairs are judged once each."""
HONEST = "honest alone"
SOURCES: tuple[LabelSource, ...] = ("hard", "weight", "reliability", "consensus")
VARIANTS = (HONEST, *SOURCES)


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A prompt with its answers, their gold scores, and who ranked them how (ranks by answer, 1 is the best)."""

    prompt: Prompt
    answers: list[tuple[str, bool]]
    gold: list[float]
    rankings: list[tuple[int, list[int]]]


def main() -> None:
    options = parse_options()
    rows = []
    for seed in options.seeds:
        started = time.monotonic()
        row = {"seed": seed, **one_seed(options, seed)}
        row["seconds"] = round(time.monotonic() - started, 1)
        if not rows:
            print("  ".join(f"{name[:12]:>12}" for name in row))
        print("  ".join(f"{value:>12.4g}" for value in row.values()), flush=True)
        rows.append(row)
    means = {name: round(statistics.fmean(row[name] for row in rows), 4) for name in rows[0] if name != "seed"}
    print("  ".join(f"{value:>12.4g}" for value in (0, *means.values())))
    lost = {name: round(means["honest alone"] - means[name], 4) for name in VARIANTS[1:]}
    print(json.dumps({"flipping": FLIPPING, "overlap": OVERLAP, "means": means, "lost": lost, "rows": rows}))


def one_seed(options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Return the accuracy of every variant, and what the quality figures found."""
    generator = random.Random(f"noisy-{seed}")
    prompts = [prompt for prompt in read_prompts(FileRef(options.prompts)) if prompt.split in ("ranked", "pool")]
    prompts = generator.sample(prompts, N_RANKED + N_TESTED)
    sampled = sample_answers(options.base, [prompt for prompt in prompts for _ in range(N_ANSWERS)], seed)
    answers = [list(dict.fromkeys(sampled[i : i + N_ANSWERS])) for i in range(0, len(sampled), N_ANSWERS)]
    gold = gold_function(options.gold)
    golds = [[gold(prompt.text, text) for text, _ in group] for prompt, group in zip(prompts, answers, strict=True)]
    spread = statistics.pstdev(score for group in golds for score in group)
    flippers = set(generator.sample(range(N_ANNOTATORS), round(FLIPPING * N_ANNOTATORS)))
    ranked = [
        Ranked(prompt, group, scores, rankings_of(scores, spread, flippers, generator))
        for prompt, group, scores in zip(prompts[:N_RANKED], answers, golds, strict=False)
    ]
    judgments = judgments_of(ranked)
    preferences = list(preferences_of(ranked, judgments))
    tested = list(zip(prompts[N_RANKED:], answers[N_RANKED:], golds[N_RANKED:], strict=True))
    found = {"pairs": len(preferences), "right": sum(right for _, _, right in preferences) / len(preferences)}
    honest = [row for row, who, _ in preferences if who not in flippers]
    found[HONEST] = accuracy(trained(options.base, honest, "hard", seed), tested, options.base)
    for source in SOURCES:
        model = trained(options.base, [row for row, _, _ in preferences], source, seed)
        found[source] = accuracy(model, tested, options.base)
    return found


def rankings_of(
    scores: list[float], spread: float, flippers: set[int], generator: random.Random
) -> list[tuple[int, list[int]]]:
    """Return who ranked a task and how: Plackett and Luce's noise, and flippers hand in the reverse."""
    rankings = []
    for person in generator.sample(range(N_ANNOTATORS), OVERLAP):
        gumbels = [-math.log(-math.log(generator.random() or 0.5)) for _ in scores]
        noisy = [score / spread / TEMPERATURE + noise for score, noise in zip(scores, gumbels, strict=True)]
        seen = [-value for value in noisy] if person in flippers else noisy
        rankings.append((person, [1 + sum(other > value for other in seen) for value in seen]))
    return rankings


def judgments_of(ranked: list[Ranked]) -> dict[tuple[int, int], tuple[float | None, float, dict[int, tuple]]]:
    """Return by task and person (reliability, weight, consensus by task), from the rankings alone."""
    n_items = max(len(task.answers) for task in ranked)
    rows = [(number, person, ranks) for number, task in enumerate(ranked) for person, ranks in task.rankings]
    ranks = np.array([own + [math.nan] * (n_items - len(own)) for _, _, own in rows], dtype=np.float64)
    generator = np.random.default_rng(0)
    shown = np.array([generator.permutation(n_items) for _ in rows])
    votes = Votes(
        task=np.array([task for task, _, _ in rows]), annotator=np.array([person for _, person, _ in rows]),
        ranks_JK=ranks, shown_JK=np.where(np.isnan(ranks), -1, shown),
        purpose=np.full(len(rows), "label"), counted=np.ones(len(rows), np.bool_),
        seconds=generator.lognormal(3, 0.5, len(rows)), at=np.arange(len(rows), dtype=np.float64),
        n_flags=np.zeros(len(rows), np.int64),
    )  # fmt: skip
    lengths = [[float(len(text)) for text, _ in task.answers] for task in ranked]
    tasks = Tasks(
        task=np.arange(len(ranked)), prompt=np.arange(len(ranked)), tolerance=np.zeros(len(ranked)),
        lengths_TK=np.array([row + [math.nan] * (n_items - len(row)) for row in lengths]),
        sources=tuple(tuple(("sft",) for _ in task.answers) for task in ranked),
        gold_TK=np.full((len(ranked), n_items), math.nan),
    )  # fmt: skip
    figures, agreed = quality_compute(votes=votes, tasks=tasks, decided={}, flags={}, seed=0)
    people = {one.annotator: (one.reliability.value, one.weight) for one in figures.annotators}
    consensus = {one.task: (one.ranks, one.confidence) for one in agreed}
    return {(task, person): (*people[person], consensus) for task, person, _ in rows}


def preferences_of(ranked: list[Ranked], judgments: dict) -> Iterator[tuple[Preference, int, bool]]:
    """Yield (row, annotator, whether it agrees with the gold score) as a snapshot would write the rows."""
    for number, task in enumerate(ranked):
        for person, ranks in task.rankings:
            reliability, weight, consensus = judgments[number, person]
            said, confidence = consensus.get(number, (None, None))
            for better in range(len(ranks)):
                for worse in range(len(ranks)):
                    if ranks[better] >= ranks[worse]:
                        continue
                    judgment = Judgment(
                        ranking=f"{number} {person}", weight=weight, reliability=reliability, confidence=confidence,
                        consensus=None if said is None or said[better] == said[worse] else said[better] < said[worse],
                    )  # fmt: skip
                    (chosen, chosen_cut), (rejected, rejected_cut) = task.answers[better], task.answers[worse]
                    row = Preference(
                        prompt=task.prompt.messages, prompt_id=task.prompt.id, chosen=chosen, chosen_cut=chosen_cut,
                        rejected=rejected, rejected_cut=rejected_cut, judgment=judgment,
                    )  # fmt: skip
                    yield row, person, task.gold[better] > task.gold[worse]


def trained(base: str, rows: list[Preference], source: LabelSource, seed: int) -> RewardModel:
    """Return a model of the stage's last fit alone: what it is tested on is known here."""
    spec = RewardSpec(
        base=base, preferences=(FileRef("rows"),), batch_pairs=BATCH_PAIRS, seed=seed, labels=LabelSpec(source=source)
    )
    device = pick_device()
    seed_everything(seed)
    built, _ = comparisons_build(rows, load_tokenizer(base), max_length=spec.max_length)
    comparisons, _ = comparisons_weigh(built, spec.labels)
    reward = reward_model_new(load_base(base, device), spec.lora, device, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        RewardTraining(spec, RunDir(folder), reward, fits_plan(comparisons, spec)[-1:], tie_odds=0.0).train()
    return reward


def accuracy(reward: RewardModel, tested: list, base: str) -> float:
    """Return the share of pairs of unseen prompts that are in the order of the gold score; equal scores are wrong."""
    rows, tokenizer = [], load_tokenizer(base)
    for prompt, answers, golds in tested:
        for better in range(len(answers)):
            for worse in range(len(answers)):
                if golds[better] > golds[worse]:
                    (chosen, chosen_cut), (rejected, rejected_cut) = answers[better], answers[worse]
                    rows.append(Preference(prompt.messages, chosen, rejected, prompt.id, chosen_cut, rejected_cut))
    comparisons, _ = comparisons_build(rows, tokenizer, max_length=256)
    scores = iter(reward.score_all([example for one in comparisons for example in one.examples]).tolist())
    n_right = n_pairs = 0
    for one in comparisons:
        own = [next(scores) for _ in one.examples]
        n_pairs += len(one.pairs)
        n_right += sum(own[pair.winner] > own[pair.loser] for pair in one.pairs)
    return n_right / n_pairs


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--prompts", required=True)
    parser.add_argument("--gold", default="modeling.world.gold:score")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    return parser.parse_args()


if __name__ == "__main__":
    main()
