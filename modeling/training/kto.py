"""Stage `kto`: Kahneman-Tversky optimisation, for answers that were called good or bad one at a time.

What a good answer gains and a bad one loses is measured from the KL between policy and reference, which a batch
estimates by each prompt with the next one's answer. Our own loop; the reasons are in docs/adr/0008-offline-policies.md.

Source: Ethayarajh et al., 2024, https://arxiv.org/abs/2402.01306.
"""

import dataclasses
import math
import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from modeling.data.chat import encode_answer, encode_prompt
from modeling.data.fitting import context_length
from modeling.data.unpaired import Verdict, read_verdicts
from modeling.device import pick_device
from modeling.errors import BadInput
from modeling.model.adapters import save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example, pack, token_budget
from modeling.model.logprobs import sequence_logprobs
from modeling.rundir import RunDir
from modeling.spec import KTOSpec
from modeling.training.folds import prompts_hold_out
from modeling.training.offline import OfflineTraining, Sums
from modeling.training.offline_policy import POLICY, OfflinePolicy
from modeling.training.preference_losses import kto_losses


@dataclasses.dataclass(frozen=True)
class Judged:
    """An answer as tokens, what was said of it, and how much that counts."""

    example: Example
    good: bool
    weight: float


@dataclasses.dataclass(frozen=True)
class Batch:
    """Rows of one step, and their prompts with the answers of the rows after them."""

    rows: list[Judged]
    mismatched: list[Example]


@dataclasses.dataclass(frozen=True)
class Part:
    """Rows that go through the model together; the weight of their whole batch and its KL."""

    rows: list[Judged]
    kl_nats: float
    n_batch_rows: int


def run(spec: KTOSpec, run: RunDir) -> dict[str, Any]:
    """Train and save the policy's adapter. Raises: BadInput, Refused, Stopped."""
    device, tokenizer = pick_device(), load_tokenizer(spec.base)
    base, sha256 = load_base(spec.base, device), base_sha256(spec.base)
    context = context_length(base)
    verdicts = list(read_verdicts(spec.verdicts))
    rows, n_skipped = verdicts_encode(verdicts, tokenizer, max_length=min(spec.max_length, context))
    if n_skipped:
        run.message(f"Skipped {n_skipped} of {len(verdicts)} answers: longer than {spec.max_length} tokens or empty.")
    heard = [row for row in rows if row.weight > 0]
    held_out = prompts_hold_out([str(row.example.prompt) for row in heard], share=spec.heldout_share, seed=spec.seed)
    train = rows_weigh([row for row in heard if str(row.example.prompt) not in held_out], spec)
    tested = [row for row in heard if str(row.example.prompt) in held_out]
    plan = plan_draw(train, spec, context=context)
    test = [batch_of(tested, context=context)] if tested else []
    examples = [row.example for row in train + tested]
    examples += [example for batch in plan + test for example in batch.mismatched]
    policy = OfflinePolicy(spec, base, device, base_sha256=sha256)
    policy.reference_compute(examples)
    training = OfflineTraining(spec, run, policy, VerdictObjective(spec, policy), plan)
    figures = training.train()
    for batch in test:
        figures |= training.measure(batch)
    figures["final_kl_nats"] = policy.kl_measure((row.example.prompt for row in train), tokenizer)
    save_adapter(policy.model, run.artifact("adapter"), name=POLICY, base_sha256=sha256)
    return figures | {
        "n_good": sum(row.good for row in train),
        "n_bad": sum(not row.good for row in train),
        "n_heldout": len(tested),
        "n_skipped": n_skipped,
        "n_weightless": len(rows) - len(heard),
    }


def verdicts_encode(verdicts: Sequence[Verdict], tokenizer: Any, *, max_length: int) -> tuple[list[Judged], int]:
    """Return the rows that fit as tokens, and how many were skipped. Raises: BadInput when none fits."""
    if not verdicts:
        raise BadInput("There are no verdicts to train on: call some answers good and others bad first.")
    rows = []
    for verdict in verdicts:
        prompt = tuple(encode_prompt(tokenizer, verdict.prompt))
        example = Example(prompt, tuple(encode_answer(tokenizer, verdict.answer, cut=verdict.cut)))
        if example.answer and len(example) <= max_length:
            rows.append(Judged(example, verdict.good, verdict.weight))
    if not rows:
        raise BadInput(
            f"None of {len(verdicts)} answers can be used: each is longer than {max_length} tokens or empty."
        )
    return rows, len(verdicts) - len(rows)


def rows_weigh(rows: Sequence[Judged], spec: KTOSpec) -> list[Judged]:
    """Return the rows with both sides weighing as the specification says, and one on average.

    Raises: BadInput when one side is empty.
    """
    totals = {good: math.fsum(row.weight for row in rows if row.good == good) for good in (True, False)}
    for good, said in ((True, "bad"), (False, "good")):
        if not totals[good]:
            raise BadInput(
                f"All {len(rows)} answers are called {said}: KTO learns from the difference, so give both kinds."
            )
    share = spec.desirable_weight / (spec.desirable_weight + spec.undesirable_weight)
    factors = {True: len(rows) * share / totals[True], False: len(rows) * (1 - share) / totals[False]}
    return [dataclasses.replace(row, weight=row.weight * factors[row.good]) for row in rows]


def plan_draw(rows: Sequence[Judged], spec: KTOSpec, *, context: int) -> list[Batch]:
    """Return every batch of a training in order; each holds good and bad answers as the whole does."""
    n_whole, n_batches = math.ceil(spec.epochs), max(1, len(rows) // spec.batch_size)
    batches = []
    for epoch in range(n_whole):
        generator = random.Random(f"kto-{spec.seed}-{epoch}")  # noqa: S311 - a seeded shuffle, not a secret
        order = sorted(generator.sample(rows, len(rows)), key=lambda row: row.good)
        for first in range(n_batches):
            drawn = order[first::n_batches]
            batches.append(batch_of(generator.sample(drawn, len(drawn)), context=context))
    return batches[: max(1, round(len(batches) * spec.epochs / n_whole))]


def batch_of(rows: list[Judged], *, context: int) -> Batch:
    """Return the rows with their mismatched examples, without those that the base could not read."""
    borrowed = [*rows[1:], *rows[:1]]
    mismatched = [Example(row.example.prompt, other.example.answer) for row, other in zip(rows, borrowed, strict=True)]
    return Batch(rows, [example for example in mismatched if len(example) <= context])


class VerdictObjective:
    """The loss of single answers under a policy."""

    def __init__(self, spec: KTOSpec, policy: OfflinePolicy) -> None:
        self.spec, self.policy = spec, policy

    def parts(self, batch: Batch) -> list[Part]:
        """Estimate the KL and cut the batch by tokens."""
        kl_nats = 0.0
        if batch.mismatched:
            reference_M = self.policy.reference_logprobs(batch.mismatched).cpu()
            policy_M = sequence_logprobs(self.policy.model, batch.mismatched, self.policy.device)
            kl_nats = max(0.0, float((policy_M - reference_M).mean()))
        groups = pack([len(row.example) for row in batch.rows], max_tokens=token_budget(self.policy.device))
        return [Part([batch.rows[i] for i in group], kl_nats, len(batch.rows)) for group in groups]

    def part_loss(self, part: Part) -> tuple[Tensor, Sums]:
        """Return the part's weighted losses over the number of the batch's rows, and its sums."""
        examples = [row.example for row in part.rows]
        log_ratios_N = self.policy.logprobs(examples) - self.policy.reference_logprobs(examples)
        good_N = torch.tensor([row.good for row in part.rows], device=log_ratios_N.device)
        weights_N = log_ratios_N.new_tensor([row.weight for row in part.rows])
        kl = log_ratios_N.new_tensor(part.kl_nats)
        loss = (weights_N * kto_losses(log_ratios_N, good_N, kl, beta=self.spec.beta)).sum()
        detached_N = log_ratios_N.detach()
        return loss / part.n_batch_rows, {
            "loss": float(loss.detach()),
            "weight": float(weights_N.sum()),
            "rows": len(part.rows),
            "right": int(((detached_N > kl) == good_N).sum()),
            "kl": part.kl_nats * len(part.rows),
            "good": int(good_N.sum()),
            "good_nats": float(detached_N[good_N].sum()),
            "bad_nats": float(detached_N[~good_N].sum()),
        }

    def figures(self, sums: Sums) -> dict[str, float]:
        """Return loss, share of answers on their side of the KL, that KL, and both sides' log-ratios in nats."""
        return {
            "loss": sums["loss"] / sums["weight"],
            "accuracy": sums["right"] / sums["rows"],
            "mismatched_kl_nats": sums["kl"] / sums["rows"],
            "good_nats": sums["good_nats"] / max(sums["good"], 1),
            "bad_nats": sums["bad_nats"] / max(sums["rows"] - sums["good"], 1),
        }
