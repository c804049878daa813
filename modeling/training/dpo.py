"""Stage `dpo`: direct preference optimisation and its family, on the frozen base with a LoRA adapter.

All judged pairs of a prompt are in one batch, and each of its distinct answers goes through the model once. What a
pair counts and how probably its chosen answer is the better one follow from its judgment (`weighting.py`). With a
reward model and prompts there are further pairs, of answers that are sampled before the training (`sampled_pairs.py`).

Our own loop; the reasons are in docs/adr/0008-offline-policies.md.
"""

import functools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modeling.data.fitting import context_length
from modeling.data.preferences import Preference, read_preferences
from modeling.device import pick_device
from modeling.errors import BadInput
from modeling.model.adapters import save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example, token_budget
from modeling.rundir import RunDir
from modeling.spec import DPOSpec
from modeling.training.comparisons import Comparison, comparisons_build, comparisons_split, plan_draw
from modeling.training.folds import prompts_hold_out
from modeling.training.offline import OfflineTraining, Sums
from modeling.training.offline_policy import POLICY, OfflinePolicy
from modeling.training.preference_losses import PAIR_LOSSES, debiased_targets, expected_losses, smoothed_targets
from modeling.training.sampled_pairs import pairs_sample
from modeling.training.weighting import comparisons_weigh

MAX_SMOOTHING = 0.49
"""With half of the labels flipped there is nothing to learn, and `robust` would divide by nothing."""


def run(spec: DPOSpec, run: RunDir) -> dict[str, Any]:
    """Train and save the policy's adapter. Raises: BadInput, Refused, Stopped."""
    device, tokenizer = pick_device(), load_tokenizer(spec.base)
    preferences, n_elsewhere = _of_dimension(list(read_preferences(spec.preferences)), spec.dimension)
    base, sha256 = load_base(spec.base, device), base_sha256(spec.base)
    max_length = min(spec.max_length, context_length(base))
    comparisons, n_skipped = comparisons_build(preferences, tokenizer, max_length=max_length)
    if n_skipped:
        run.message(f"Skipped {n_skipped} of {len(preferences)} pairs: longer than {max_length} tokens or empty.")
    comparisons, n_weightless = comparisons_weigh(comparisons, spec.labels)
    kept_out = prompts_hold_out([item.key for item in comparisons], share=spec.heldout_share, seed=spec.seed)
    train = [comparison for comparison in comparisons if comparison.key not in kept_out]
    held_out = [comparison for comparison in comparisons if comparison.key in kept_out]
    smoothing = smoothing_measure(train) if spec.measure_smoothing else spec.label_smoothing
    policy = OfflinePolicy(spec, base, device, base_sha256=sha256)
    sampled = pairs_sample(
        spec, run, policy, tokenizer, kept_out={example.prompt for item in held_out for example in item.examples}
    )
    policy.reference_compute(example for item in (*comparisons, *sampled) for example in item.examples)
    plan = plan_draw(train + sampled, epochs=spec.epochs, batch_pairs=spec.batch_pairs, seed=f"dpo-{spec.seed}")
    training = OfflineTraining(spec, run, policy, PairObjective(spec, policy, smoothing=smoothing), plan)
    figures = training.train()
    if held_out:
        figures |= training.measure(held_out)
    prompts = (comparison.examples[0].prompt for comparison in train)
    figures["final_kl_nats"] = policy.kl_measure(prompts, tokenizer)
    save_adapter(policy.model, run.artifact("adapter"), name=POLICY, base_sha256=sha256)
    return figures | {
        "n_pairs": sum(len(comparison.pairs) for comparison in train),
        "n_pairs_sampled": sum(len(comparison.pairs) for comparison in sampled),
        "n_pairs_heldout": sum(len(comparison.pairs) for comparison in held_out),
        "n_pairs_skipped": n_skipped,
        "n_pairs_weightless": n_weightless,
        "n_pairs_of_other_dimensions": n_elsewhere,
        "n_prompts": len(train),
        "n_prompts_sampled": len(sampled),
        "label_smoothing": smoothing,
    }


@dataclass(frozen=True)
class PairPart:
    """Answers that go through the model together, and the P pairs among them."""

    examples: list[Example]
    lengths: Tensor  # (B,), of the answers
    winners: list[int]
    losers: list[int]
    weights: Tensor  # (P,), as targets
    targets: Tensor
    is_judged: Tensor  # 1 where people judged the pair, 0 where a reward model did
    n_batch_pairs: int


class PairObjective:
    """The loss of pairs under a policy. Label noise and the SFT term are a matter of judged pairs alone."""

    def __init__(self, spec: DPOSpec, policy: OfflinePolicy, *, smoothing: float) -> None:
        self.spec, self.policy = spec, policy
        adjusted = debiased_targets if spec.loss == "robust" else smoothed_targets
        self.adjusted = functools.partial(adjusted, smoothing=smoothing)

    def parts(self, batch: list[Comparison]) -> list[PairPart]:
        """Cut a batch by tokens, prompts kept whole where they fit."""
        n_pairs = sum(len(comparison.pairs) for comparison in batch)
        groups = comparisons_split(batch, max_tokens=token_budget(self.policy.device))
        return [_part(group, n_batch_pairs=n_pairs, device=self.policy.device.torch_device) for group in groups]

    def part_loss(self, part: PairPart) -> tuple[Tensor, Sums]:
        """Return the part's weighted losses over the number of the batch's pairs, and its sums."""
        logprobs_B, lengths_B = self.policy.logprobs(part.examples), part.lengths
        log_ratios_B = logprobs_B - self.policy.reference_logprobs(part.examples)
        losses_P = self._pair_losses(part, log_ratios_B / lengths_B if self.spec.loss == "ipo" else log_ratios_B)
        if self.spec.sft_coef:
            means_B = logprobs_B / lengths_B
            likely_P = part.targets * means_B[part.winners] + (1 - part.targets) * means_B[part.losers]
            losses_P = losses_P - self.spec.sft_coef * likely_P * part.is_judged
        loss = (part.weights * losses_P).sum()
        return loss / part.n_batch_pairs, _sums(part, loss.detach(), log_ratios_B.detach())

    def _pair_losses(self, part: PairPart, log_ratios_B: Tensor) -> Tensor:
        targets_P = torch.where(part.is_judged > 0, self.adjusted(part.targets), part.targets)
        return expected_losses(
            PAIR_LOSSES[self.spec.loss], log_ratios_B[part.winners], log_ratios_B[part.losers], targets_P,
            beta=self.spec.beta,
        )  # fmt: skip

    def figures(self, sums: Sums) -> dict[str, float]:
        """Return loss, share of pairs told apart, margin (times beta, as trl's) and both sides' log-ratios in nats.

        Of all pairs of the batch, judged or sampled.
        """
        n_pairs = sums["pairs"]
        return {
            "loss": sums["loss"] / sums["weight"],
            "accuracy": sums["right"] / max(sums["decided"], 1),
            "margin": self.spec.beta * (sums["chosen"] - sums["rejected"]) / n_pairs,
            "chosen_nats": sums["chosen"] / n_pairs,
            "rejected_nats": sums["rejected"] / n_pairs,
        }


def smoothing_measure(comparisons: Sequence[Comparison]) -> float:
    """Return the share of flipped labels that the annotators' reliabilities tell, over pairs where one is known.

    Raises: BadInput when none is known, or when the labels are no better than coins.
    """
    judgments = [pair.judgment for comparison in comparisons for pair in comparison.pairs if not pair.judgment.tie]
    known = [judgment.reliability for judgment in judgments if judgment.reliability is not None]
    if not known:
        raise BadInput("No pair says how reliable its annotator is: give label_smoothing a value.")
    smoothing = 1 - statistics.fmean(known)
    if smoothing >= MAX_SMOOTHING:
        raise BadInput(
            f"The annotators are right in {1 - smoothing:.2f} of pairs, hardly better than coins: collect others."
        )
    return smoothing


def _of_dimension(preferences: list[Preference], dimension: str) -> tuple[list[Preference], int]:
    if not preferences:
        raise BadInput("There are no preferences to train on: rank some answers first.")
    kept = [row for row in preferences if row.judgment.dimension == dimension]
    if not kept:
        known = ", ".join(sorted({repr(row.judgment.dimension) for row in preferences}))
        raise BadInput(f"No pair was judged for dimension {dimension!r}; there are {known}.")
    return kept, len(preferences) - len(kept)


def _part(group: Sequence[Comparison], *, n_batch_pairs: int, device: torch.device) -> PairPart:
    examples: list[Example] = []
    winners, losers, pairs, judged = [], [], [], []
    for comparison in group:
        winners += [len(examples) + pair.winner for pair in comparison.pairs]
        losers += [len(examples) + pair.loser for pair in comparison.pairs]
        pairs += comparison.pairs
        judged += [comparison.is_judged] * len(comparison.pairs)
        examples += comparison.examples

    def tensor(values: Iterable[float]) -> Tensor:
        return torch.tensor(list(values), dtype=torch.float64, device=device)

    return PairPart(
        examples, tensor(len(example.answer) for example in examples), winners, losers,
        tensor(pair.weight for pair in pairs), tensor(pair.target for pair in pairs), tensor(judged), n_batch_pairs,
    )  # fmt: skip


def _sums(part: PairPart, loss: Tensor, log_ratios_B: Tensor) -> Sums:
    chosen_P, rejected_P = log_ratios_B[part.winners], log_ratios_B[part.losers]
    sides_P = torch.sign(part.targets - 0.5)  # 0 for a tie, -1 where all judgments together say the opposite
    return {
        "loss": float(loss),
        "weight": float(part.weights.sum()),
        "pairs": len(part.winners),
        "decided": int((sides_P != 0).sum()),
        "right": int((sides_P * (chosen_P - rejected_P) > 0).sum()),
        "chosen": float(chosen_P.sum()),
        "rejected": float(rejected_P.sum()),
    }
