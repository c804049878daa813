"""Stage `dpo`: direct preference optimisation by trl's DPOTrainer, on the frozen base with a LoRA adapter.

Two things are ours. Pairs are encoded here, so that a cut answer gets no end token and what is too long is skipped and
counted (trl's way through the chat template would end every answer, and its collator would shorten). And the
reference's log-probabilities are computed here, each distinct answer once, under the adapter that the spec names: trl
always takes a continued adapter itself as the reference, and would need the right copy of it again after a resume.
"""

from collections.abc import Sequence
from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

from modeling.data.fitting import context_length
from modeling.data.preferences import read_preferences
from modeling.device import Device, pick_device
from modeling.errors import BadInput
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import MAX_LOGITS, Example
from modeling.model.logprobs import causal_lm, sequence_logprobs
from modeling.rundir import RunDir
from modeling.spec import DPOSpec
from modeling.training.comparisons import Comparison, comparisons_build
from modeling.training.trainer import train_to_end, trainer_arguments

POLICY = "default"
N_LAST = 5
"""Logged points behind the final figures."""


class EncodedDPOTrainer(DPOTrainer):
    """trl's trainer on rows that carry token ids and reference log-probabilities already."""

    def _prepare_dataset(self, dataset: Dataset, *_args: Any, **_kwargs: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *_args: Any, **_kwargs: Any) -> Dataset:
        return dataset


def run(spec: DPOSpec, run: RunDir) -> dict[str, Any]:
    """Train and save the policy's adapter. Raises: BadInput, Refused, Stopped."""
    device, tokenizer = pick_device(), load_tokenizer(spec.base)
    preferences = list(read_preferences(spec.preferences))
    if not preferences:
        raise BadInput("There are no preferences to train on: rank some answers first.")
    base, sha256 = load_base(spec.base, device, quantize=spec.lora.quantize), base_sha256(spec.base)
    max_length = min(spec.max_length, context_length(base))
    comparisons, n_skipped = comparisons_build(preferences, tokenizer, max_length=max_length)
    if n_skipped:
        run.message(f"Skipped {n_skipped} of {len(preferences)} pairs: longer than {max_length} tokens or empty.")
    if spec.adapter:
        model = load_adapter(base, spec.adapter, name=POLICY, trainable=True, base_sha256=sha256)
    else:
        model = new_adapter(base, spec.lora, name=POLICY, seed=spec.seed)
    rows = encoded_rows(comparisons, _reference_logprobs(model, comparisons, spec, device))
    trainer = _trainer(spec, run, device, model, tokenizer, rows)
    train_to_end(trainer, run, checkpoint_every_s=spec.checkpoint_every_s)
    save_adapter(model, run.artifact("adapter"), name=POLICY, base_sha256=sha256)
    counts = {"n_pairs": len(rows), "n_pairs_skipped": n_skipped, "n_prompts": len(comparisons)}
    return counts | _final_figures(trainer.state.log_history)


def encoded_rows(
    comparisons: Sequence[Comparison], reference_logprobs: dict[tuple[str, Example], float]
) -> list[dict[str, Any]]:
    """Return one row per pair in the columns that trl's collator takes."""
    rows = []
    for comparison in comparisons:
        for pair in comparison.pairs:
            chosen, rejected = comparison.examples[pair.winner], comparison.examples[pair.loser]
            rows.append(
                {
                    "prompt_ids": list(chosen.prompt),
                    "chosen_ids": list(chosen.answer),
                    "rejected_ids": list(rejected.answer),
                    "ref_chosen_logps": reference_logprobs[comparison.key, chosen],
                    "ref_rejected_logps": reference_logprobs[comparison.key, rejected],
                }
            )
    return rows


def pairs_at_once(batch_pairs: int, *, longest: int, vocab_size: int) -> int:
    """Return how many pairs one pass may hold: the largest divisor of the batch whose logits fit, at least one.

    trl computes the logits of whole padded conversations, so 32 pairs of 2,048 tokens would need gigabytes.
    """
    fitting = MAX_LOGITS // (2 * longest * vocab_size)
    return max((n for n in range(1, batch_pairs + 1) if batch_pairs % n == 0 and n <= fitting), default=1)


def _reference_logprobs(
    model: PeftModel, comparisons: Sequence[Comparison], spec: DPOSpec, device: Device
) -> dict[tuple[str, Example], float]:
    """Return log p(answer) under the reference; a resumed run starts from the same adapter and finds the same."""
    keys = [(comparison.key, example) for comparison in comparisons for example in comparison.examples]
    model.eval()
    with adapter_active(model, POLICY if spec.reference == "adapter" else None):
        logprobs_N = sequence_logprobs(model, [example for _, example in keys], device)
    model.set_adapter(POLICY)
    return dict(zip(keys, logprobs_N.tolist(), strict=True))


def _trainer(
    spec: DPOSpec,
    run: RunDir,
    device: Device,
    model: PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    rows: list[dict[str, Any]],
) -> DPOTrainer:
    longest = max(len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in rows)
    vocab_size = causal_lm(model).config.get_text_config().vocab_size
    n_at_once = pairs_at_once(spec.batch_pairs, longest=longest, vocab_size=vocab_size)
    config = DPOConfig(
        **trainer_arguments(run, device, seed=spec.seed),
        per_device_train_batch_size=n_at_once,
        gradient_accumulation_steps=spec.batch_pairs // n_at_once,
        num_train_epochs=spec.epochs,
        learning_rate=spec.learning_rate,
        beta=spec.beta,
        loss_type=["sigmoid"],
        max_length=None,  # what is too long was skipped
        precompute_ref_log_probs=True,
        disable_dropout=False,
    )
    return EncodedDPOTrainer(
        model=model, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )


def _final_figures(history: Sequence[dict[str, Any]]) -> dict[str, float]:
    steps = [entry for entry in history if "rewards/accuracies" in entry][-N_LAST:]
    names = {"loss": "final_loss", "rewards/accuracies": "final_accuracy", "rewards/margins": "final_margin"}
    return {new: sum(entry[old] for entry in steps) / len(steps) for old, new in names.items() if steps}
