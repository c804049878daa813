"""Stage `ppo`: proximal policy optimisation with a value function, a KL penalty on every token and clipped losses.

Policy, reference, value function and reward model are adapters and heads on one frozen base in memory. A step samples
answers, reads them under the reference and the reward model, and updates the policy by passes through the model; the
value function learns from what those readings left. Policy and value function share no parameter, so each has its
gradients, its clipping and its learning rate.

The old policy's log-probabilities are those that the sampler drew by: no pass computes them again.

Everything random follows from (seed, step), so a checkpoint is both sets of parameters, the optimizer, the KL
coefficient and the spread of the scores, and a resumed run ends in the same bytes. Nothing is dropped out: the ratio of
new to old policy would be the dropout's noise.

Source: Schulman et al., 2017, https://arxiv.org/abs/1707.06347; on language models Ziegler et al., 2019,
https://arxiv.org/abs/1909.08593. Why ours: docs/adr/0007-ppo.md.
"""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from modeling.data.fitting import context_length
from modeling.data.prompts import prompts_train_split
from modeling.device import pick_device
from modeling.model.adapters import save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import pack, token_budget
from modeling.model.cores import backward_parts
from modeling.model.logprobs import answer_logprobs, causal_lm
from modeling.model.recomputing import activations_recomputed
from modeling.rundir import RunDir
from modeling.sampling.sampler import Sampler
from modeling.spec import PPOSpec
from modeling.training.checkpoints import Checkpoints
from modeling.training.control import RunningSpread, kl_coef_next
from modeling.training.divergence import divergence_refuse, final_figures
from modeling.training.experience import Experience, experience_gather, tokens_spread
from modeling.training.losses import approximate_kl, clipped_policy_loss, clipped_value_loss
from modeling.training.mix import PretrainingMix
from modeling.training.rewards import Rewards, rewards_load
from modeling.training.rollouts import (
    POLICY,
    PromptPool,
    answers_sample,
    policy_load,
    policy_snapshots,
    prompt_pool,
    prompts_draw,
    step_stream,
)
from modeling.training.schedule import warm_linear
from modeling.training.snapshots import Snapshots
from modeling.training.state import optimizer_for, trainable_parameters
from modeling.training.value import ValueHead
from modeling.training.value_features import value_width

MAX_GRAD_NORM = 1.0
VALUE_STEPS = 24
"""Of the value function in each update: enough to follow the policy, and cheap."""
SAMPLE_EVERY_STEPS = 10
"""How often a sampled answer is shown to the person who watches."""

Minibatch = list[list[int]]
"""Rows of the experience: those of one optimizer step, in parts that go through the model together."""


def run(spec: PPOSpec, run: RunDir) -> dict[str, Any]:
    """Train and save the policy's adapter. Raises: BadInput, Refused, Stopped."""
    device = pick_device()
    tokenizer = load_tokenizer(spec.base)
    prompts = prompts_train_split(spec.prompts)
    base, sha256 = load_base(spec.base, device), base_sha256(spec.base)
    pool = prompt_pool(spec, run, prompts, tokenizer, base)
    mix = PretrainingMix(spec, base, tokenizer, device, context=context_length(base)) if spec.mix else None
    model = policy_load(spec, base, base_sha256=sha256)
    policy = trainable_parameters(model)
    rewards = rewards_load(spec, model, pool.prompts, device, base_sha256=sha256)
    width = base.get_output_embeddings().weight.shape[1]
    value = ValueHead(value_width(width, len(rewards.models)), device, seed=spec.seed)
    snapshots = policy_snapshots(spec, run, model, base_sha256=sha256)
    sampler = Sampler(model, tokenizer, device)
    metrics = PPOTraining(spec, run, rewards, sampler, pool, policy, value, mix=mix, snapshots=snapshots).train()
    snapshots.publish()
    save_adapter(model, run.artifact("adapter"), name=POLICY, base_sha256=sha256)
    return metrics | {"n_prompts_skipped": pool.n_skipped}


@dataclass
class PolicyUpdate:
    """What the optimizer steps of one update did to the policy, summed over them; all zero while it rests."""

    loss: float = 0.0
    kl: float = 0.0
    clipped: float = 0.0
    grad_norm: float = 0.0
    mix_loss: float = 0.0
    n_seen: int = 0
    n_steps: int = 0

    def see(self, *, loss: float, kl: float, clipped: float) -> None:
        """Add the means of one minibatch."""
        self.loss, self.kl, self.clipped = self.loss + loss, self.kl + kl, self.clipped + clipped
        self.n_seen += 1

    def figures(self) -> dict[str, float]:
        """Return means over the minibatches; the one at which the update stopped is seen, but no step."""
        seen, steps = max(self.n_seen, 1), max(self.n_steps, 1)
        return {
            "policy_loss": self.loss / seen,
            "update_kl_nats": self.kl / seen,
            "clip_share": self.clipped / seen,
            "grad_norm": self.grad_norm / steps,
            "mix_loss": self.mix_loss / steps,
            "policy_steps": float(self.n_steps),
        }


class PPOTraining:
    """The loop; what `_state` names, the parameters and the optimizer are its whole state."""

    def __init__(
        self,
        spec: PPOSpec,
        run: RunDir,
        rewards: Rewards,
        sampler: Sampler,
        pool: PromptPool,
        policy: dict[str, Tensor],
        value: ValueHead,
        *,
        mix: PretrainingMix | None,
        snapshots: Snapshots,
    ) -> None:
        assert isinstance(sampler.model, PeftModel)
        self.spec, self.run, self.rewards, self.sampler, self.pool = spec, run, rewards, sampler, pool
        self.model, self.device = sampler.model, sampler.device
        self.policy, self.value, self.mix, self.snapshots = policy, value, mix, snapshots
        self.optimizer = optimizer_for(policy, learning_rate=spec.learning_rate)
        self.optimizer.add_param_group({"params": list(value.parameters.values())})
        self.checkpoints = Checkpoints(
            run, policy | value.parameters, self.optimizer, every_s=spec.checkpoint_every_s, n_steps=spec.n_steps
        )
        vocab_size = causal_lm(self.model).config.get_text_config().vocab_size
        self.max_tokens = spec.tokens_per_pass or token_budget(self.device, vocab_size)
        self.kl_coef, self.kl_start = spec.kl_coef, 0.0
        self.spread = RunningSpread()

    def train(self) -> dict[str, Any]:
        """Run all steps and return the figures of the last ones, averaged."""
        history: list[dict[str, float]] = []
        for step in range(self._resume(), self.spec.n_steps):
            self.checkpoints.write_if_due(step, self._state())
            experience = self._experience(step)
            figures = experience.figures() | {"kl_coef": self.kl_coef} | self._update(step, experience)
            divergence_refuse(step, figures, max_kl_nats=self.spec.max_kl_nats)
            self.snapshots.keep_if_due(step + 1)
            self.run.metrics(step + 1, **figures)
            self.run.progress(step + 1, self.spec.n_steps)
            if step % SAMPLE_EVERY_STEPS == 0:
                self.run.message(f"Step {step + 1}, {experience.answers.best(experience.scores)}")
            self.kl_start = self.kl_start if step else max(0.0, figures["kl_nats"])
            self.kl_coef = self._kl_coef_next(step, figures["kl_nats"])
            history.append(figures)
        return final_figures(history)

    def _kl_coef_next(self, step: int, kl_nats: float) -> float:
        n_rested = self.spec.value_warmup_steps
        if not self.spec.kl_target_nats or step < n_rested:
            return self.kl_coef
        progress = (step + 1 - n_rested) / (self.spec.n_steps - n_rested)
        return kl_coef_next(
            self.kl_coef, kl_nats, target_nats=self.spec.kl_target_nats, start_nats=self.kl_start, progress=progress
        )

    def _experience(self, step: int) -> Experience:
        chosen = prompts_draw(
            len(self.pool.prompts), self.spec.prompts_per_step, step=step, seed=f"ppo-{self.spec.seed}"
        )
        stream = step_stream("ppo", self.spec.seed, step)
        answers = answers_sample(self.spec, self.sampler, self.pool, chosen, stream)
        return experience_gather(
            self.spec, answers, self.rewards.scores(answers), self.model, self.value,
            reward_models=self.rewards.models, spread=self.spread, kl_coef=self.kl_coef,
        )  # fmt: skip

    def _update(self, step: int, experience: Experience) -> dict[str, float]:
        """Learn from a step's answers: the value function always, the policy once the value function is warm."""
        minibatches, n_warm = self._minibatches(step, experience), self.spec.value_warmup_steps
        policy_group, value_group = self.optimizer.param_groups
        policy_group["lr"] = self.spec.learning_rate * warm_linear(max(0, step - n_warm), self.spec.n_steps - n_warm)
        value_group["lr"] = self.spec.value_learning_rate * warm_linear(step, self.spec.n_steps)
        with activations_recomputed(self.model, enabled=self.spec.recompute_activations):
            policy = self._update_policy(step, experience, minibatches) if step >= n_warm else PolicyUpdate()
        return policy.figures() | self._update_value(experience)

    def _minibatches(self, step: int, experience: Experience) -> list[Minibatch]:
        """Return the minibatches of all epochs, each epoch in an order of its own."""
        stream = step_stream("ppo-update", self.spec.seed, step)
        lengths = [len(example) for example in experience.answers.examples]
        found = []
        for _ in range(self.spec.ppo_epochs):
            order = list(range(len(lengths)))
            stream.shuffle(order)
            for first in range(self.spec.minibatches):
                rows = order[first :: self.spec.minibatches]
                groups = pack([lengths[row] for row in rows], max_tokens=self.max_tokens)
                found.append([[rows[i] for i in group] for group in groups])
        return found

    def _update_policy(self, step: int, experience: Experience, minibatches: Sequence[Minibatch]) -> PolicyUpdate:
        """Take a step for each minibatch until the policy is too far from the one that wrote the answers."""
        self.model.set_adapter(POLICY)
        done = PolicyUpdate()
        for number, parts in enumerate(minibatches):
            n_tokens = _n_tokens(experience, parts)
            loss_of = functools.partial(self._policy_loss, experience, n_tokens)
            sums = backward_parts(self.device, self.policy, loss_of, parts)
            loss, kl, clipped = (sum(column) / n_tokens for column in zip(*sums, strict=True))
            done.see(loss=loss, kl=kl, clipped=clipped)
            if kl > self.spec.stop_kl_nats:
                self.optimizer.zero_grad()
                break
            if self.mix:
                done.mix_loss += self.mix.backward(self.policy, step * len(minibatches) + number)
            done.grad_norm += self._optimizer_step(self.policy)
            done.n_steps += 1
        return done

    def _policy_loss(
        self, experience: Experience, n_tokens: int, rows: list[int]
    ) -> tuple[Tensor, tuple[float, float, float]]:
        answers = experience.answers
        logprobs_NA = answer_logprobs(self.model, [answers.examples[row] for row in rows], self.device)
        width = logprobs_NA.shape[1]
        old_NA, mask_NA = answers.logprobs[rows, :width], answers.mask[rows, :width]
        advantages_NA = experience.advantages[rows, :width]
        loss = clipped_policy_loss(logprobs_NA, old_NA, advantages_NA, mask_NA, clip=self.spec.clip)
        with torch.no_grad():
            kl = approximate_kl(logprobs_NA, old_NA, mask_NA)
            clipped = (((logprobs_NA - old_NA).exp() - 1).abs() > self.spec.clip) & mask_NA
        return loss / n_tokens, (float(loss.detach()), float(kl), float(clipped.sum()))

    def _update_value(self, experience: Experience) -> dict[str, float]:
        """Take some steps on all tokens at once: the network is small and what it reads lies ready."""
        loss = grad_norm = 0.0
        mask_NA = experience.answers.mask
        for _ in range(VALUE_STEPS):
            values_NA = tokens_spread(self.value.values(experience.features), mask_NA)
            summed = clipped_value_loss(
                values_NA, experience.values, experience.returns, mask_NA, clip=self.spec.value_clip
            )
            step_loss = summed / experience.answers.n_tokens
            step_loss.backward()
            loss += float(step_loss.detach())
            grad_norm += self._optimizer_step(self.value.parameters)
        return {"value_loss": loss / VALUE_STEPS, "value_grad_norm": grad_norm / VALUE_STEPS}

    def _optimizer_step(self, parameters: dict[str, Tensor]) -> float:
        norm = float(torch.nn.utils.clip_grad_norm_(parameters.values(), MAX_GRAD_NORM))
        self.optimizer.step()  # the other group has no gradients and stays
        self.optimizer.zero_grad()
        return norm

    def _state(self) -> dict[str, Any]:
        return {"kl_coef": self.kl_coef, "kl_start": self.kl_start, "spread": dataclasses.asdict(self.spread)}

    def _resume(self) -> int:
        values = self.checkpoints.resume()
        if values["step"]:
            self.kl_coef, self.kl_start = values["kl_coef"], values["kl_start"]
            self.spread = RunningSpread(**values["spread"])
        return int(values["step"])


def _n_tokens(experience: Experience, parts: Minibatch) -> int:
    return sum(len(experience.answers.examples[row].answer) for part in parts for row in part)
