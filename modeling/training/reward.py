"""Stage `reward`: a Bradley-Terry reward model, and how well it judges prompts it has not seen.

First five models, each trained without one fold of the prompts and tested on it, then the final one on everything; all
are the same adapter on the same frozen base, put back to its first values. A run that is stopped or killed goes on from
its checkpoint, between the folds or inside one, to the same bytes.

Our own loop; the reasons are in docs/adr/0002-trainers.md.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modeling.data.fitting import context_length
from modeling.data.preferences import read_preferences
from modeling.device import pick_device
from modeling.errors import BadInput, Refused, Stopped
from modeling.evaluation.bootstrap import bootstrap_ratio
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import token_budget
from modeling.model.cores import backward_parts, map_parts
from modeling.model.dropout import dropout_seeded
from modeling.model.reward import RewardModel, reward_model_new, reward_model_save
from modeling.rundir import RunDir
from modeling.spec import RewardSpec
from modeling.training.comparisons import Comparison, comparisons_build, plan_draw
from modeling.training.folds import fold_assign
from modeling.training.losses import LN_2, bradley_terry_losses, pairs_right
from modeling.training.schedule import warm_cosine
from modeling.training.state import optimizer_for, state_read, state_write, trainable_parameters, values_read

MAX_GRAD_NORM = 1.0
N_BOOTSTRAP = 2_000


@dataclass
class HeldOut:
    """What a model made of one prompt that it was not trained on."""

    n_pairs: int
    n_right: int
    loss_sum: float


@dataclass(frozen=True)
class Fit:
    """One model to train: its batches in order, and the prompts it is tested on (none for the final model)."""

    name: str
    batches: list[list[Comparison]]
    held_out: list[Comparison]


def run(spec: RewardSpec, run: RunDir) -> dict[str, Any]:
    """Train, test and save the reward model. Raises: BadInput, Refused, Stopped."""
    device = pick_device()
    preferences = list(read_preferences(spec.preferences))
    tokenizer = load_tokenizer(spec.base)
    base = load_base(spec.base, device, quantize=spec.lora.quantize)
    max_length = min(spec.max_length, context_length(base))
    comparisons, n_skipped = comparisons_build(preferences, tokenizer, max_length=max_length)
    if len(comparisons) < spec.folds:
        raise BadInput(
            f"{len(comparisons)} prompts with usable preferences are too few for {spec.folds} folds: "
            f"rank answers to at least {spec.folds} prompts."
        )
    if n_skipped:
        run.message(f"Skipped {n_skipped} of {len(preferences)} pairs: longer than {max_length} tokens or empty.")
    reward = reward_model_new(base, spec.lora, device, seed=spec.seed)
    held_out = RewardTraining(spec, run, reward, fits_plan(comparisons, spec)).train()
    figures = held_out_figures(held_out)
    run.message(f"Held out: {figures['reward_accuracy']:.3f} of {figures['reward_accuracy_n']} pairs judged right.")
    if not figures["heldout_loss"] < LN_2:
        raise Refused(
            f"The reward model learned nothing that holds on unseen prompts: its held-out loss is "
            f"{figures['heldout_loss']:.3f}, a coin's is {LN_2:.3f}. Collect more rankings or check that people agree."
        )
    _measure_scores(reward, comparisons)
    reward_model_save(reward, run.artifact("reward"), base_sha256=base_sha256(spec.base))
    return figures | {
        "n_pairs": sum(len(comparison.pairs) for comparison in comparisons),
        "n_pairs_skipped": n_skipped,
        "n_prompts": len(comparisons),
        "score_std": reward.std,
    }


def fits_plan(comparisons: Sequence[Comparison], spec: RewardSpec) -> list[Fit]:
    """Return the folds' models and the final one, with every batch they will see: a function of data and seed alone."""
    folds = fold_assign([comparison.key for comparison in comparisons], n_folds=spec.folds, seed=spec.seed)
    fits = []
    for fold in (*range(spec.folds), None):
        train = [comparison for comparison in comparisons if folds[comparison.key] != fold]
        test = [comparison for comparison in comparisons if folds[comparison.key] == fold]
        name = "final" if fold is None else f"fold {fold + 1}"
        plan = plan_draw(train, epochs=spec.epochs, batch_pairs=spec.batch_pairs, seed=f"reward-{spec.seed}-{name}")
        fits.append(Fit(name, plan, test))
    return fits


class RewardTraining:
    """The loop over all fits; its whole state is (fit, step), the adapter, the optimizer and the results so far."""

    def __init__(self, spec: RewardSpec, run: RunDir, reward: RewardModel, fits: list[Fit]) -> None:
        self.spec, self.run, self.reward, self.fits = spec, run, reward, fits
        self.parameters = trainable_parameters(reward.model)
        self.initial = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        self.optimizer = optimizer_for(self.parameters, learning_rate=spec.learning_rate)
        self.held_out: list[HeldOut] = []
        self.total = sum(len(fit.batches) for fit in fits)
        self.saved_at = time.monotonic()

    def train(self) -> list[HeldOut]:
        """Train every fit and return the held-out results; the model is left as the final fit made it."""
        first_fit, first_step = self._resume()
        for index in range(first_fit, len(self.fits)):
            start = first_step if index == first_fit else 0
            if start == 0:
                self._reset()
            self._train_fit(index, start)
            self._test(self.fits[index])
        return self.held_out

    def _train_fit(self, index: int, start: int) -> None:
        fit = self.fits[index]
        done_before = sum(len(earlier.batches) for earlier in self.fits[:index])
        self.reward.model.train()
        for step in range(start, len(fit.batches)):
            self._checkpoint_if_due(index, step, done_before + step)
            rate = self.spec.learning_rate * warm_cosine(step, len(fit.batches))
            self.optimizer.param_groups[0]["lr"] = rate
            loss, accuracy = self._step(fit.batches[step], dropout_seed=hash((self.spec.seed, index, step)))
            if not math.isfinite(loss):
                raise Refused(f"Reward training diverged in {fit.name} at step {step}: lower learning_rate.")
            done = done_before + step + 1
            self.run.progress(done, self.total)
            if fit.held_out:
                self.run.metrics(done, fold_loss=loss, fold_accuracy=accuracy)
            else:
                self.run.metrics(done, loss=loss, accuracy=accuracy, learning_rate=rate)

    def _step(self, batch: Sequence[Comparison], *, dropout_seed: int) -> tuple[float, float]:
        device, n_pairs = self.reward.device, sum(len(comparison.pairs) for comparison in batch)

        def loss_of(numbered: tuple[int, list[Comparison]]) -> tuple[Tensor, tuple[float, int]]:
            number, part = numbered
            with dropout_seeded(hash((dropout_seed, number)) % 2**63, device):
                chosen_P, rejected_P = _pair_scores(self.reward, part)
            loss = bradley_terry_losses(chosen_P, rejected_P).sum()
            return loss / n_pairs, (float(loss.detach()), int(pairs_right(chosen_P, rejected_P).sum()))

        parts = list(enumerate(_split_by_tokens(batch, token_budget(device))))
        sums = backward_parts(device, self.parameters, loss_of, parts)
        loss_sum, n_right = sum(loss for loss, _ in sums), sum(right for _, right in sums)
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss_sum / n_pairs, n_right / n_pairs

    @torch.no_grad()
    def _test(self, fit: Fit) -> None:
        self.reward.model.eval()
        by_length = sorted(fit.held_out, key=_longest)
        parts = _split_by_tokens(by_length, token_budget(self.reward.device))
        for found in map_parts(self.reward.device, self._test_part, parts):
            self.held_out.extend(found)
        if fit.held_out:
            figures = held_out_figures(self.held_out, n_bootstrap=100)
            self.run.message(f"After {fit.name}: held-out accuracy {figures['reward_accuracy']:.3f}.")

    def _test_part(self, part: Sequence[Comparison]) -> list[HeldOut]:
        found = []
        for comparison, (chosen_P, rejected_P) in zip(part, _scores_by_prompt(self.reward, part), strict=True):
            losses_P = bradley_terry_losses(chosen_P, rejected_P)
            n_right = int(pairs_right(chosen_P, rejected_P).sum())
            found.append(HeldOut(len(comparison.pairs), n_right, float(losses_P.double().sum())))
        return found

    def _reset(self) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.initial[name])
        self.optimizer.state.clear()

    def _checkpoint_if_due(self, index: int, step: int, done: int) -> None:
        stop = self.run.should_stop
        if not stop and time.monotonic() - self.saved_at < self.spec.checkpoint_every_s:
            return
        values = {"fit": index, "step": step, "held_out": [vars(item) for item in self.held_out]}
        self.run.save_checkpoint(done, lambda folder: state_write(folder, self.parameters, self.optimizer, values))
        self.saved_at = time.monotonic()
        if stop:
            raise Stopped(f"Stopped at step {done} of {self.total}; the next attempt goes on from there.")

    def _resume(self) -> tuple[int, int]:
        folder: Path | None = self.run.newest_checkpoint()
        if folder is None:
            return 0, 0
        values = values_read(folder)
        state_read(folder, self.parameters, self.optimizer)
        self.held_out = [HeldOut(**item) for item in values["held_out"]]
        self.run.message(f"Going on from {folder.name}.")
        return values["fit"], values["step"]


def held_out_figures(held_out: Sequence[HeldOut], *, n_bootstrap: int = N_BOOTSTRAP) -> dict[str, Any]:
    """Return accuracy over pairs with its bootstrap interval over prompts, n and mean loss. Ties are wrong."""
    right, pairs = [item.n_right for item in held_out], [item.n_pairs for item in held_out]
    low, high = bootstrap_ratio(right, pairs, n_resamples=n_bootstrap)
    return {
        "reward_accuracy": sum(right) / sum(pairs),
        "reward_accuracy_low": low,
        "reward_accuracy_high": high,
        "reward_accuracy_n": sum(pairs),
        "heldout_loss": math.fsum(item.loss_sum for item in held_out) / sum(pairs),
    }


def _scores_by_prompt(reward: RewardModel, part: Sequence[Comparison]) -> list[tuple[Tensor, Tensor]]:
    scores_B = reward.scores([example for comparison in part for example in comparison.examples])
    result, offset = [], 0
    for comparison in part:
        winners = [offset + pair.winner for pair in comparison.pairs]
        losers = [offset + pair.loser for pair in comparison.pairs]
        result.append((scores_B[winners], scores_B[losers]))
        offset += len(comparison.examples)
    return result


def _pair_scores(reward: RewardModel, part: Sequence[Comparison]) -> tuple[Tensor, Tensor]:
    chosen, rejected = zip(*_scores_by_prompt(reward, part), strict=True)
    return torch.cat(chosen), torch.cat(rejected)


def _split_by_tokens(batch: Sequence[Comparison], max_tokens: int) -> list[list[Comparison]]:
    """Cut a batch into parts of one forward pass each; the gradients of the parts add up to the batch's."""
    parts: list[list[Comparison]] = []
    n_rows, width = 0, 0
    for comparison in batch:
        wider = max(width, _longest(comparison))
        if not parts or (n_rows + len(comparison.examples)) * wider > max_tokens:
            parts.append([])
            n_rows, wider = 0, _longest(comparison)
        parts[-1].append(comparison)
        n_rows, width = n_rows + len(comparison.examples), wider
    return parts


def _longest(comparison: Comparison) -> int:
    return max(len(example) for example in comparison.examples)


def _measure_scores(reward: RewardModel, comparisons: Sequence[Comparison]) -> None:
    scores_N = reward.score_all([example for comparison in comparisons for example in comparison.examples]).double()
    reward.mean = float(scores_N.mean())
    reward.std = max(float(scores_N.std()), 1e-6)
