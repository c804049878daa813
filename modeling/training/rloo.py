"""Stages `rloo` and `grpo`: the policy samples answers, each of which is judged against its siblings by its reward.

Two ways to judge, both with one advantage for a whole answer. REINFORCE with a leave-one-out baseline (RLOO; Ahmadian
et al., 2024, https://arxiv.org/abs/2402.14740) has the KL to the reference inside the reward; group-relative policy
optimisation (GRPO; Shao et al., 2024, https://arxiv.org/abs/2402.03300) divides by the spread of the siblings and has
the KL in the loss. Policy, reference and reward model are adapters on one base in memory, and the answers come from the
sampler that also serves.

Everything random follows from (seed, step), so a checkpoint is the adapter, the optimizer and the step, and a resumed
run ends in the same bytes. Own loop, not trl's: see docs/adr/0002-trainers.md.
"""

import functools
import random
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from modeling.data.prompts import prompts_train_split
from modeling.device import pick_device
from modeling.model.adapters import save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import pack, token_budget
from modeling.model.cores import backward_parts
from modeling.model.dropout import dropout_seeded
from modeling.model.logprobs import answer_logprobs, causal_lm
from modeling.rundir import RunDir
from modeling.sampling.sampler import Sampler
from modeling.spec import GRPOSpec, RLOOSpec
from modeling.training.checkpoints import Checkpoints
from modeling.training.divergence import divergence_refuse, final_figures
from modeling.training.losses import (
    group_normalised_advantages,
    grpo_loss,
    leave_one_out_advantages,
    policy_gradient_loss,
    sequence_rewards,
)
from modeling.training.reference import log_ratios, reference_read
from modeling.training.rewards import Rewards, rewards_load
from modeling.training.rollouts import (
    POLICY,
    Answers,
    PromptPool,
    answers_sample,
    policy_load,
    policy_snapshots,
    prompt_pool,
    prompts_draw,
    reference_adapter,
    step_stream,
)
from modeling.training.schedule import warm_linear
from modeling.training.snapshots import Snapshots
from modeling.training.state import optimizer_for, trainable_parameters

MAX_GRAD_NORM = 1.0
SAMPLE_EVERY_STEPS = 10
"""How often a sampled answer is shown to the person who watches."""


@dataclass(frozen=True)
class Rollout:
    """One step's N answers and what is known of them before the update; A answer tokens."""

    answers: Answers
    scores: Tensor  # (N,)
    log_ratios: Tensor  # (N,), log policy - log reference of a whole answer, the k1 estimate of the KL
    reference: Tensor  # (N, A), log-probabilities
    advantages: Tensor  # (N,)


def run(spec: RLOOSpec, run: RunDir) -> dict[str, Any]:
    """Train and save the policy's adapter. Raises: BadInput, Refused, Stopped."""
    device = pick_device()
    tokenizer = load_tokenizer(spec.base)
    prompts = prompts_train_split(spec.prompts)
    base, sha256 = load_base(spec.base, device), base_sha256(spec.base)
    pool = prompt_pool(spec, run, prompts, tokenizer, base)
    model = policy_load(spec, base, base_sha256=sha256)
    parameters = trainable_parameters(model)
    rewards = rewards_load(spec, model, pool.prompts, device, base_sha256=sha256)
    snapshots = policy_snapshots(spec, run, model, base_sha256=sha256)
    metrics = RLOOTraining(spec, run, rewards, Sampler(model, tokenizer, device), pool, parameters, snapshots).train()
    snapshots.publish()
    save_adapter(model, run.artifact("adapter"), name=POLICY, base_sha256=sha256)
    return metrics | {"n_prompts_skipped": pool.n_skipped}


@dataclass
class Part:
    """Answers that go through the model together, N of the step's; their log-probabilities before the first update."""

    rows: list[int]
    dropout_seed: int
    old_logprobs: Tensor | None = None  # (N, A)


class RLOOTraining:
    """The loop; its whole state is the step, the policy's adapter and its optimizer."""

    def __init__(
        self,
        spec: RLOOSpec,
        run: RunDir,
        rewards: Rewards,
        sampler: Sampler,
        pool: PromptPool,
        parameters: dict[str, Tensor],
        snapshots: Snapshots,
    ) -> None:
        assert isinstance(sampler.model, PeftModel)
        self.spec, self.run, self.rewards, self.sampler, self.snapshots = spec, run, rewards, sampler, snapshots
        self.model, self.device = sampler.model, sampler.device
        self.pool, self.prompts = pool, pool.prompts
        self.parameters = parameters
        self.optimizer = optimizer_for(parameters, learning_rate=spec.learning_rate)
        self.checkpoints = Checkpoints(
            run, parameters, self.optimizer, every_s=spec.checkpoint_every_s, n_steps=spec.n_steps
        )

    def train(self) -> dict[str, Any]:
        """Run all steps and return the figures of the last ones, averaged."""
        history: list[dict[str, float]] = []
        for step in range(self.checkpoints.resume()["step"], self.spec.n_steps):
            self.checkpoints.write_if_due(step, {})
            self.optimizer.param_groups[0]["lr"] = self.spec.learning_rate * warm_linear(step, self.spec.n_steps)
            rollout = self._rollout(step)
            dropout = step_stream(self.spec.stage, self.spec.seed, step)
            figures = self._describe(rollout) | self._update(rollout, dropout=dropout)
            divergence_refuse(step, figures, max_kl_nats=self.spec.max_kl_nats)
            self.snapshots.keep_if_due(step + 1)
            self.run.metrics(step + 1, **figures)
            self.run.progress(step + 1, self.spec.n_steps)
            if step % SAMPLE_EVERY_STEPS == 0:
                self.run.message(f"Step {step + 1}, {rollout.answers.best(rollout.scores)}")
            history.append(figures)
        return final_figures(history)

    def _rollout(self, step: int) -> Rollout:
        stream = step_stream(self.spec.stage, self.spec.seed, step)
        answers = answers_sample(self.spec, self.sampler, self.pool, self._draw(step), stream)
        reference_NA, _ = reference_read(self.model, reference_adapter(self.spec), answers)
        scores_N = self.rewards.scores(answers)
        log_ratios_N = log_ratios(answers, reference_NA).double().sum(dim=1).cpu()
        advantages_N = self._advantages(answers, scores_N, log_ratios_N)
        return Rollout(answers, scores_N, log_ratios_N, reference_NA, advantages_N)

    def _advantages(self, answers: Answers, scores_N: Tensor, log_ratios_N: Tensor) -> Tensor:
        """Return advantages_N: RLOO's contain the KL, GRPO has it in the loss."""
        grpo = isinstance(self.spec, GRPOSpec)
        rewards_N = sequence_rewards(
            scores_N, log_ratios_N, answers.cut, kl_coef=0.0 if grpo else self.spec.kl_coef,
            cut_penalty=self.spec.cut_penalty,
        )  # fmt: skip
        rewards_GS = rewards_N.view(-1, self.spec.samples_per_prompt)
        return (group_normalised_advantages(rewards_GS) if grpo else leave_one_out_advantages(rewards_GS)).flatten()

    def _update(self, rollout: Rollout, *, dropout: random.Random) -> dict[str, float]:
        """Take one optimizer step per inner epoch and return what it was made of."""
        self.model.set_adapter(POLICY)
        self.model.train()
        parts = self._parts(rollout, dropout)
        loss = grad_norm = 0.0
        for _ in range(self.spec.inner_epochs):
            losses = backward_parts(self.device, self.parameters, functools.partial(self._part_loss, rollout), parts)
            loss += sum(losses) / self.spec.inner_epochs
            grad_norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), MAX_GRAD_NORM))
            self.optimizer.step()
            self.optimizer.zero_grad()
        return {"loss": loss, "grad_norm": grad_norm}

    def _parts(self, rollout: Rollout, dropout: random.Random) -> list[Part]:
        budget = token_budget(self.device, causal_lm(self.model).config.get_text_config().vocab_size)
        rows = pack([len(example) for example in rollout.answers.examples], max_tokens=budget)
        return [Part(group, dropout.getrandbits(62)) for group in rows]

    def _part_loss(self, rollout: Rollout, part: Part) -> tuple[Tensor, float]:
        with dropout_seeded(part.dropout_seed, self.device):
            logprobs_NA = answer_logprobs(self.model, [rollout.answers.examples[row] for row in part.rows], self.device)
        if part.old_logprobs is None:
            part.old_logprobs = logprobs_NA.detach()
        width = logprobs_NA.shape[1]
        mask_NA, reference_NA = rollout.answers.mask[part.rows, :width], rollout.reference[part.rows, :width]
        advantages_N = rollout.advantages[part.rows].to(logprobs_NA)
        if not isinstance(self.spec, GRPOSpec):
            loss = policy_gradient_loss(logprobs_NA, part.old_logprobs, advantages_N, mask_NA, clip=self.spec.clip)
            loss = loss / rollout.answers.n_tokens
        else:
            loss = grpo_loss(
                logprobs_NA, part.old_logprobs, reference_NA, advantages_N, mask_NA, clip=self.spec.clip,
                kl_coef=self.spec.kl_coef,
            ) / len(rollout.answers.examples)  # fmt: skip
        return loss, float(loss.detach())

    def _describe(self, rollout: Rollout) -> dict[str, float]:
        return {
            "reward": float(rollout.scores.mean()),
            "kl_nats": float(rollout.log_ratios.mean()),
            **rollout.answers.figures(),
        }

    def _draw(self, step: int) -> list[int]:
        seed = f"{self.spec.stage}-{self.spec.seed}"
        return prompts_draw(len(self.prompts), self.spec.prompts_per_step, step=step, seed=seed)
