"""One training of `bench.dpo`, in a process of its own: `python -m bench.dpo_sides SIDE --work DIR --seed N ...`.

Sides are our two stages and plain trl scripts for the same: files in, an adapter out. The clock runs from the first
file read to the adapter written, without imports. Prints one JSON object: seconds, pairs, held-out loss.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer

from modeling.data.preferences import read_preferences
from modeling.device import pick_device, seed_everything
from modeling.model.adapters import load_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example, pad_right
from modeling.model.logprobs import sequence_logprobs
from modeling.model.reward import reward_model_load
from modeling.rundir import RunDir
from modeling.spec import DPOSpec, FileRef, LabelSpec, LoraSpec, RewardSpec
from modeling.training import dpo, reward
from modeling.training.comparisons import comparisons_build, plan_draw

BETA, EPOCHS, BATCH_PAIRS = 0.3, 2, 36
DPO_RATE, REWARD_RATE = 1e-3, 3e-3
DPO_LORA, REWARD_LORA = LoraSpec(), LoraSpec(dropout=0.3)
FOLDS = 2
"""The fewest that the reward stage has: it then trains on every pair twice as often as for the final model alone."""
NEVER_S = 1e9


@dataclasses.dataclass(frozen=True)
class Job:
    """Where the files of one training are."""

    base: str
    train: Path
    heldout: Path
    out: Path
    seed: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("--base", required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--heldout", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, default=0)
    options = vars(parser.parse_args())
    side, threads = options.pop("side"), options.pop("threads")
    if threads:
        torch.set_num_threads(threads)
    job = Job(**options)
    seed_everything(job.seed)
    started = time.perf_counter()
    n_pairs, measure = SIDES[side](job)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "pairs": n_pairs, "heldout_loss": measure()}))


# ---- Ours -----------------------------------------------------------------------------------------------------------


def ours_dpo(job: Job) -> tuple[int, Callable[[], float]]:
    spec = DPOSpec(
        base=job.base, preferences=(FileRef(str(job.train)),), labels=LabelSpec(source="hard"), lora=DPO_LORA,
        beta=BETA, epochs=EPOCHS, batch_pairs=BATCH_PAIRS, learning_rate=DPO_RATE, seed=job.seed,
        checkpoint_every_s=NEVER_S,
    )  # fmt: skip
    run = RunDir(job.out)
    metrics = dpo.run(spec, run)
    return EPOCHS * metrics["n_pairs"], lambda: dpo_heldout_loss(job, run.artifact("adapter"))


def ours_reward(job: Job) -> tuple[int, Callable[[], float]]:
    spec = RewardSpec(
        base=job.base, preferences=(FileRef(str(job.train)),), labels=LabelSpec(source="hard"), lora=REWARD_LORA,
        epochs=EPOCHS, batch_pairs=BATCH_PAIRS, learning_rate=REWARD_RATE, folds=FOLDS, seed=job.seed,
        checkpoint_every_s=NEVER_S,
    )  # fmt: skip
    run = RunDir(job.out)
    metrics = reward.run(spec, run)

    def measure() -> float:
        device = pick_device()
        model = reward_model_load(
            load_base(job.base, device), run.artifact("reward"), device, base_sha256=base_sha256(job.base)
        )
        return bradley_terry_loss(job, model.score_all)

    return FOLDS * EPOCHS * metrics["n_pairs"], measure


# ---- trl ------------------------------------------------------------------------------------------------------------


def trl_dpo(job: Job, *, precompute: bool) -> tuple[int, Callable[[], float]]:
    tokenizer, rows = load_tokenizer(job.base), rows_in_our_batches(job, f"dpo-{job.seed}")
    trainer = DPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(job.base, dtype=torch.float32),
        args=DPOConfig(
            **trl_arguments(job, DPO_RATE), beta=BETA, max_length=None, precompute_ref_log_probs=precompute,
            disable_dropout=False,
        ),
        train_dataset=Dataset.from_list(rows), processing_class=tokenizer, peft_config=trl_lora(DPO_LORA, "CAUSAL_LM"),
    )  # fmt: skip
    trainer.train()
    trainer.save_model(str(job.out / "adapter"))
    return len(rows), lambda: dpo_heldout_loss(job, job.out / "adapter")


def trl_reward(job: Job) -> tuple[int, Callable[[], float]]:
    tokenizer, rows = load_tokenizer(job.base), rows_in_our_batches(job, f"reward-{job.seed}-final")
    model = AutoModelForSequenceClassification.from_pretrained(job.base, dtype=torch.float32, num_labels=1)
    model.config.pad_token_id = tokenizer.pad_token_id
    torch.nn.init.zeros_(model.score.weight)
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(**trl_arguments(job, REWARD_RATE), max_length=None, disable_dropout=False),
        train_dataset=Dataset.from_list(rows), processing_class=tokenizer, peft_config=trl_lora(REWARD_LORA, "SEQ_CLS"),
    )  # fmt: skip
    trainer.train()
    trainer.save_model(str(job.out / "reward"))

    @torch.no_grad()
    def score(examples: list[Example]) -> Tensor:
        trainer.model.eval()
        scores = []
        for start in range(0, len(examples), BATCH_PAIRS):
            part = [example.tokens for example in examples[start : start + BATCH_PAIRS]]
            ids = pad_right(part, fill=tokenizer.pad_token_id)
            mask = pad_right([[1] * len(tokens) for tokens in part])
            with pick_device().autocast():
                scores.append(trainer.model(input_ids=ids, attention_mask=mask).logits[:, 0].float())
        return torch.cat(scores)

    return len(rows), lambda: bradley_terry_loss(job, score)


def trl_arguments(job: Job, learning_rate: float) -> dict[str, object]:
    device = pick_device()
    return {
        "output_dir": str(job.out), "seed": job.seed, "bf16": device.bf16, "use_cpu": device.is_cpu,
        "activation_checkpointing": False, "num_train_epochs": 1, "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": BATCH_PAIRS, "learning_rate": learning_rate, "lr_scheduler_type": "cosine",
        "warmup_steps": 0.05, "max_grad_norm": 1.0, "adam_beta2": 0.95, "save_strategy": "no", "report_to": "none",
        "disable_tqdm": True, "logging_steps": 0.1, "dataloader_pin_memory": False,
    }  # fmt: skip


def trl_lora(lora: LoraSpec, task: str) -> LoraConfig:
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules="all-linear", task_type=task,
        modules_to_save=["score"] if task == "SEQ_CLS" else None,
    )  # fmt: skip


def rows_in_our_batches(job: Job, seed: str) -> list[dict[str, object]]:
    """Return all epochs' rows as plain conversations, in the order of our batches: losses then differ by no shuffle."""
    by_prompt: dict[str, list[dict[str, object]]] = {}
    for line in job.train.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        kept = {key: row[key] for key in ("prompt", "chosen", "rejected")}
        by_prompt.setdefault(row["prompt_id"], []).append(kept)
    preferences = list(read_preferences([FileRef(str(job.train))]))
    comparisons, _ = comparisons_build(preferences, load_tokenizer(job.base), max_length=256)
    plan = plan_draw(comparisons, epochs=EPOCHS, batch_pairs=BATCH_PAIRS, seed=seed)
    return [row for batch in plan for comparison in batch for row in by_prompt[comparison.key]]


# ---- Held-out losses, the same way for both -------------------------------------------------------------------------


def heldout_pairs(job: Job) -> tuple[list[Example], list[Example]]:
    preferences = list(read_preferences([FileRef(str(job.heldout))]))
    comparisons, _ = comparisons_build(preferences, load_tokenizer(job.base), max_length=256)
    pairs = [(comparison.examples, pair) for comparison in comparisons for pair in comparison.pairs]
    return [examples[pair.winner] for examples, pair in pairs], [examples[pair.loser] for examples, pair in pairs]


def dpo_heldout_loss(job: Job, adapter: Path) -> float:
    device = pick_device()
    model = load_adapter(load_base(job.base, device), adapter)
    ratios = []
    for examples in heldout_pairs(job):
        policy = sequence_logprobs(model, examples, device)
        with model.disable_adapter():
            ratios.append(policy - sequence_logprobs(model, examples, device))
    return float(-functional.logsigmoid(BETA * (ratios[0] - ratios[1])).mean())


def bradley_terry_loss(job: Job, score: Callable[[list[Example]], Tensor]) -> float:
    chosen, rejected = heldout_pairs(job)
    return float(-functional.logsigmoid(score(chosen) - score(rejected)).mean())


SIDES: dict[str, Callable[[Job], tuple[int, Callable[[], float]]]] = {
    "ours-dpo": ours_dpo,
    "trl-dpo": lambda job: trl_dpo(job, precompute=False),
    "trl-dpo-precomputed": lambda job: trl_dpo(job, precompute=True),
    "ours-reward": ours_reward,
    "trl-reward": trl_reward,
}

if __name__ == "__main__":
    main()
