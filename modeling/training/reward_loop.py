"""The loop over all fits of a reward run; its state is (fit, step), every member's values, the optimizer, the results.

Everything random follows from (seed, fit, step), so a run that is stopped or killed goes on from its checkpoint,
between the fits or inside one, to the same bytes.
"""

import dataclasses
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from modeling.errors import Refused, Stopped
from modeling.evaluation.held_out import HeldOutPair
from modeling.model.batching import token_budget
from modeling.model.cores import backward_parts, map_parts
from modeling.model.dropout import dropout_seeded
from modeling.model.reward import RewardModel
from modeling.rundir import RunDir
from modeling.spec import RewardSpec
from modeling.training.comparisons import Comparison
from modeling.training.reward_fits import Fit
from modeling.training.reward_losses import pairs_right
from modeling.training.reward_scoring import longest, pairs_score, split_by_tokens
from modeling.training.schedule import long_run_factor, warm_cosine
from modeling.training.state import optimizer_for, state_read, state_write, trainable_parameters, values_read

MAX_GRAD_NORM = 1.0
FULL_RATE_STEPS = 400
"""Longer trainings take lower rates: 1,000 steps at the rate that suits 360 forgot on the way what they had learnt
(docs/experiments.md)."""


class RewardTraining:
    """Trains the members of `reward` one after the other, the folds on the first of them."""

    def __init__(
        self, spec: RewardSpec, run: RunDir, reward: RewardModel, fits: Sequence[Fit], *, tie_odds: float
    ) -> None:
        self.spec, self.run, self.members, self.fits, self.tie_odds = spec, run, reward.members, fits, tie_odds
        self.device = reward.device
        self.parameters = [member_parameters(member) for member in self.members]
        self.every = {name: tensor for parameters in self.parameters for name, tensor in parameters.items()}
        self.initial = {name: parameter.detach().clone() for name, parameter in self.every.items()}
        self.optimizer = optimizer_for(self.every, learning_rate=spec.learning_rate)
        self.held_out: list[HeldOutPair] = []
        self.total = sum(len(fit.batches) for fit in fits)
        self.saved_at = time.monotonic()

    def train(self) -> list[HeldOutPair]:
        """Train every fit and return the held-out results; the members are left as the last fits made them."""
        first_fit, first_step = self._resume()
        for index in range(first_fit, len(self.fits)):
            fit = self.fits[index]
            self.members[fit.member].model.set_adapter(self.members[fit.member].name)
            start = first_step if index == first_fit else 0
            if start == 0:
                self._reset(self.parameters[fit.member])
            self._train_fit(index, start)
            if fit.held_out:
                self._test(fit)
        return self.held_out

    def _train_fit(self, index: int, start: int) -> None:
        fit = self.fits[index]
        done_before = sum(len(earlier.batches) for earlier in self.fits[:index])
        self.members[fit.member].model.train()
        peak = self.spec.learning_rate * long_run_factor(len(fit.batches), full_rate_steps=FULL_RATE_STEPS)
        for step in range(start, len(fit.batches)):
            self._checkpoint_if_due(index, step, done_before + step)
            rate = peak * warm_cosine(step, len(fit.batches))
            self.optimizer.param_groups[0]["lr"] = rate
            seed = hash((self.spec.seed, index, step))
            loss, accuracy = self._step(fit.member, fit.batches[step], dropout_seed=seed)
            if not math.isfinite(loss):
                raise Refused(f"Reward training diverged in {fit.name} at step {step}: lower learning_rate.")
            done = done_before + step + 1
            self.run.progress(done, self.total)
            if fit.held_out:
                self.run.metrics(done, fold_loss=loss, fold_accuracy=accuracy)
            else:
                self.run.metrics(done, loss=loss, accuracy=accuracy, learning_rate=rate)

    def _step(self, member: int, batch: Sequence[Comparison], *, dropout_seed: int) -> tuple[float, float]:
        """Take one optimizer step and return the mean loss and the share of pairs right; weights are 1 on average."""
        reward, parameters = self.members[member], self.parameters[member]
        n_pairs = sum(len(comparison.pairs) for comparison in batch)

        def loss_of(numbered: tuple[int, list[Comparison]]) -> tuple[Tensor, tuple[float, int]]:
            number, part = numbered
            with dropout_seeded(hash((dropout_seed, number)) % 2**63, self.device):
                pairs = pairs_score(reward, part)
            loss = pairs.losses(margin=self.spec.margin, tie_odds=self.tie_odds).sum()
            return loss / n_pairs, (float(loss.detach()), int(pairs_right(pairs.differences, pairs.targets).sum()))

        parts = list(enumerate(split_by_tokens(batch, token_budget(self.device))))
        sums = backward_parts(self.device, parameters, loss_of, parts)
        loss_sum, n_right = sum(loss for loss, _ in sums), sum(right for _, right in sums)
        torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss_sum / n_pairs, n_right / n_pairs

    @torch.no_grad()
    def _test(self, fit: Fit) -> None:
        reward = self.members[fit.member]
        reward.model.eval()
        parts = split_by_tokens(sorted(fit.held_out, key=longest), token_budget(self.device))
        found = map_parts(self.device, lambda part: pairs_score(reward, part).differences.tolist(), parts)
        for part, differences in zip(parts, found, strict=True):
            self.held_out.extend(_held_out_pairs(part, differences, fold=fit.fold))

    def _reset(self, parameters: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(self.initial[name])
        self.optimizer.state.clear()

    def _checkpoint_if_due(self, index: int, step: int, done: int) -> None:
        stop = self.run.should_stop
        if not stop and time.monotonic() - self.saved_at < self.spec.checkpoint_every_s:
            return
        values = {"fit": index, "step": step, "held_out": [dataclasses.asdict(pair) for pair in self.held_out]}
        self.run.save_checkpoint(done, lambda folder: state_write(folder, self.every, self.optimizer, values))
        self.saved_at = time.monotonic()
        if stop:
            raise Stopped(f"Stopped at step {done} of {self.total}; the next attempt goes on from there.")

    def _resume(self) -> tuple[int, int]:
        folder: Path | None = self.run.newest_checkpoint()
        if folder is None:
            return 0, 0
        values = values_read(folder)
        state_read(folder, self.every, self.optimizer)
        self.held_out = [HeldOutPair(**pair) for pair in values["held_out"]]
        self.run.message(f"Going on from {folder.name}.")
        return values["fit"], values["step"]


def member_parameters(member: RewardModel) -> dict[str, Tensor]:
    """Return a member's own trainable parameters by name; makes its adapter the active one."""
    member.model.set_adapter(member.name)
    return trainable_parameters(member.model)


def _held_out_pairs(part: Sequence[Comparison], differences: Sequence[float], *, fold: int) -> list[HeldOutPair]:
    pairs = [(comparison, pair) for comparison in part for pair in comparison.pairs]
    return [
        HeldOutPair(
            prompt=comparison.key, chosen=pair.winner, rejected=pair.loser, ranking=pair.judgment.ranking,
            dimension=pair.judgment.dimension, fold=fold, difference=difference, weight=pair.weight,
            target=pair.target, tie=pair.judgment.tie, strength=pair.judgment.strength,
            chosen_first=pair.judgment.chosen_first, chosen_tokens=len(comparison.examples[pair.winner].answer),
            rejected_tokens=len(comparison.examples[pair.loser].answer),
        )
        for (comparison, pair), difference in zip(pairs, differences, strict=True)
    ]  # fmt: skip
