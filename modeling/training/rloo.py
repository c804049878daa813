"""Stage `rloo`: the policy samples answers, the reward model scores them, and each is judged against its siblings.

REINFORCE with a leave-one-out baseline (Ahmadian et al., 2024, https://arxiv.org/abs/2402.14740): one advantage for a
whole answer, the KL to the reference inside the reward. Policy, reference and reward model are adapters on one base in
memory, and the answers come from the sampler that also serves.

Everything random follows from (seed, step), so a checkpoint is the adapter, the optimizer and the step, and a resumed
run ends in the same bytes. Own loop, not trl's: see docs/adr/0002-trainers.md.
"""

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modeling.data.fitting import context_length, prompts_encode
from modeling.data.prompts import Prompt, read_prompts
from modeling.device import pick_device
from modeling.errors import BadInput, Refused, Stopped
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example, pack, token_budget
from modeling.model.cores import backward_parts
from modeling.model.dropout import dropout_seeded
from modeling.model.logprobs import answer_logprobs, causal_lm, sequence_logprobs
from modeling.model.reward import RewardModel, reward_model_load
from modeling.rundir import RunDir
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import RLOOSpec
from modeling.training.losses import leave_one_out_advantages, policy_gradient_loss, sequence_rewards
from modeling.training.schedule import warm_linear
from modeling.training.state import optimizer_for, state_read, state_write, trainable_parameters, values_read

POLICY, REFERENCE = "default", "reference"
MAX_GRAD_NORM = 1.0
SAMPLE_EVERY_STEPS = 10
"""How often a sampled answer is shown to the person who watches."""


@dataclass(frozen=True)
class Rollout:
    """One step's answers, N = prompts x samples, prompt by prompt, and what is known of them before the update."""

    prompts: list[Prompt]
    texts: list[str]
    examples: list[Example]
    cut: Tensor  # all four (N,)
    scores: Tensor
    log_ratios: Tensor
    advantages: Tensor


def run(spec: RLOOSpec, run: RunDir) -> dict[str, Any]:
    """Train and save the policy's adapter. Raises: BadInput, Refused, Stopped."""
    device = pick_device()
    tokenizer = load_tokenizer(spec.base)
    prompts = list(read_prompts(spec.prompts))
    if any(prompt.split == "heldout" for prompt in prompts):
        raise BadInput(f"{spec.prompts.path} has prompts that are held out for evaluation: nothing may train on them.")
    base, sha256 = load_base(spec.base, device), base_sha256(spec.base)
    prompts, prompt_ids, n_skipped = prompts_encode(
        prompts, tokenizer, context=context_length(base), max_new_tokens=spec.max_new_tokens
    )
    if n_skipped:
        run.message(f"Skipped {n_skipped} prompts that leave no room for an answer.")
    if len(prompts) < spec.prompts_per_step:
        raise BadInput(f"{len(prompts)} prompts are fewer than the {spec.prompts_per_step} of one step: add prompts.")
    if spec.reference == "adapter":
        base = load_adapter(base, spec.adapter, name=REFERENCE, base_sha256=sha256)
    if spec.adapter:
        model = load_adapter(base, spec.adapter, name=POLICY, trainable=True, base_sha256=sha256)
    else:
        model = new_adapter(base, spec.lora, name=POLICY, seed=spec.seed)
    parameters = trainable_parameters(model)
    reward = reward_model_load(model, spec.reward, device, base_sha256=sha256)
    sampler = Sampler(model, tokenizer, device)
    metrics = RLOOTraining(spec, run, reward, sampler, prompts, prompt_ids, parameters).train()
    save_adapter(model, run.artifact("adapter"), name=POLICY, base_sha256=sha256)
    return metrics | {"n_prompts_skipped": n_skipped}


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
        reward: RewardModel,
        sampler: Sampler,
        prompts: Sequence[Prompt],
        prompt_ids: Sequence[tuple[int, ...]],
        parameters: dict[str, Tensor],
    ) -> None:
        self.spec, self.run, self.reward, self.sampler = spec, run, reward, sampler
        self.model, self.device = reward.model, reward.device
        self.prompts, self.prompt_ids = prompts, prompt_ids
        self.parameters = parameters
        self.optimizer = optimizer_for(parameters, learning_rate=spec.learning_rate)
        self.saved_at = time.monotonic()

    def train(self) -> dict[str, Any]:
        """Run all steps and return the figures of the last ones, averaged."""
        history: list[dict[str, float]] = []
        for step in range(self._resume(), self.spec.n_steps):
            self._checkpoint_if_due(step)
            self.optimizer.param_groups[0]["lr"] = self.spec.learning_rate * warm_linear(step, self.spec.n_steps)
            rollout = self._rollout(step)
            figures = self._describe(rollout) | self._update(rollout, dropout=_stream(self.spec.seed, step))
            self._refuse_divergence(step, figures)
            self.run.metrics(step + 1, **figures)
            self.run.progress(step + 1, self.spec.n_steps)
            if step % SAMPLE_EVERY_STEPS == 0:
                best = int(rollout.scores.argmax())
                prompt = rollout.prompts[best // self.spec.samples_per_prompt]
                self.run.message(
                    f"Step {step + 1}, best of {len(rollout.texts)} answers: {prompt.text!r} {rollout.texts[best]!r}"
                )
            history.append(figures)
        last = history[-5:]
        return {f"final_{key}": sum(item[key] for item in last) / len(last) for key in (last[0] if last else ())}

    def _rollout(self, step: int) -> Rollout:
        chosen = self._draw(step)
        positions = [position for position in chosen for _ in range(self.spec.samples_per_prompt)]
        stream = _stream(self.spec.seed, step)
        settings = DecodingSettings(max_new_tokens=self.spec.max_new_tokens)
        self.model.set_adapter(POLICY, inference_mode=True)
        self.model.eval()
        completions = self.sampler.sample(
            [self.prompt_ids[position] for position in positions], settings, [stream.getrandbits(48) for _ in positions]
        )
        examples = [
            Example(self.prompt_ids[position], tuple(completion.token_ids))
            for position, completion in zip(positions, completions, strict=True)
        ]
        log_ratios_N = self._log_ratios(examples)
        scores_N = self.reward.standardised(examples).double()
        cut_N = torch.tensor([completion.finish_reason == "length" for completion in completions])
        rewards_N = sequence_rewards(
            scores_N, log_ratios_N, cut_N, kl_coef=self.spec.kl_coef, cut_penalty=self.spec.cut_penalty
        )
        advantages_GS = leave_one_out_advantages(rewards_N.view(-1, self.spec.samples_per_prompt))
        texts = [completion.text for completion in completions]
        return Rollout(
            [self.prompts[i] for i in chosen], texts, examples, cut_N, scores_N, log_ratios_N, advantages_GS.flatten()
        )

    def _log_ratios(self, examples: Sequence[Example]) -> Tensor:
        """Return log policy - log reference of each whole answer, the k1 estimate of the KL."""
        policy_N = sequence_logprobs(self.model, examples, self.device)
        if self.spec.reference == "adapter":
            self.model.set_adapter(REFERENCE, inference_mode=True)
            return policy_N - sequence_logprobs(self.model, examples, self.device)
        with self.model.disable_adapter():
            return policy_N - sequence_logprobs(self.model, examples, self.device)

    def _update(self, rollout: Rollout, *, dropout: random.Random) -> dict[str, float]:
        """Take one optimizer step per inner epoch and return what it was made of."""
        self.model.set_adapter(POLICY)
        self.model.train()
        n_tokens = sum(len(example.answer) for example in rollout.examples)
        parts = self._parts(rollout, dropout)
        loss = entropy = grad_norm = 0.0
        for epoch in range(self.spec.inner_epochs):
            sums = backward_parts(
                self.device, self.parameters, lambda part: self._part_loss(rollout, part, n_tokens), parts
            )
            loss += sum(part_loss for part_loss, _ in sums) / self.spec.inner_epochs
            if epoch == 0:
                entropy = sum(part_entropy for _, part_entropy in sums) / n_tokens
            grad_norm = float(torch.nn.utils.clip_grad_norm_(self.parameters.values(), MAX_GRAD_NORM))
            self.optimizer.step()
            self.optimizer.zero_grad()
        return {"loss": loss, "entropy": entropy, "grad_norm": grad_norm}

    def _parts(self, rollout: Rollout, dropout: random.Random) -> list[Part]:
        budget = token_budget(self.device, causal_lm(self.model).config.get_text_config().vocab_size)
        rows = pack([len(example) for example in rollout.examples], max_tokens=budget)
        return [Part(group, dropout.getrandbits(62)) for group in rows]

    def _part_loss(self, rollout: Rollout, part: Part, n_tokens: int) -> tuple[Tensor, tuple[float, float]]:
        examples = [rollout.examples[row] for row in part.rows]
        with dropout_seeded(part.dropout_seed, self.device):
            logprobs_NA, entropies_NA = answer_logprobs(self.model, examples, self.device)
        if part.old_logprobs is None:
            part.old_logprobs = logprobs_NA.detach()
        lengths_N1 = torch.tensor([[len(example.answer)] for example in examples], device=logprobs_NA.device)
        mask_NA = torch.arange(logprobs_NA.shape[1], device=logprobs_NA.device) < lengths_N1
        advantages_N = rollout.advantages[part.rows].to(logprobs_NA)
        loss = policy_gradient_loss(logprobs_NA, part.old_logprobs, advantages_N, mask_NA, clip=self.spec.clip)
        return loss / n_tokens, (float(loss.detach()) / n_tokens, float(entropies_NA.sum()))

    def _describe(self, rollout: Rollout) -> dict[str, float]:
        return {
            "reward": float(rollout.scores.mean()),
            "kl_nats": float(rollout.log_ratios.mean()),
            "mean_tokens": sum(len(example.answer) for example in rollout.examples) / len(rollout.examples),
            "cut_share": float(rollout.cut.double().mean()),
        }

    def _refuse_divergence(self, step: int, figures: dict[str, float]) -> None:
        broken = sorted(name for name, value in figures.items() if not math.isfinite(value))
        if broken:
            raise Refused(f"Training diverged at step {step + 1}: {', '.join(broken)} not finite. Lower learning_rate.")
        if figures["kl_nats"] > self.spec.max_kl_nats:
            raise Refused(
                f"Training diverged at step {step + 1}: {figures['kl_nats']:.1f} nats from the reference, the limit is "
                f"{self.spec.max_kl_nats:g}. Lower learning_rate or raise kl_coef."
            )

    def _draw(self, step: int) -> list[int]:
        """Return the step's prompts: the pool is gone through in a new order each time round."""
        per_round = len(self.prompts) // self.spec.prompts_per_step
        order = list(range(len(self.prompts)))
        random.Random(f"rloo-{self.spec.seed}-{step // per_round}").shuffle(order)  # noqa: S311 - a seeded shuffle
        start = step % per_round * self.spec.prompts_per_step
        return order[start : start + self.spec.prompts_per_step]

    def _checkpoint_if_due(self, step: int) -> None:
        stop = self.run.should_stop
        if not stop and time.monotonic() - self.saved_at < self.spec.checkpoint_every_s:
            return
        values = {"step": step}
        self.run.save_checkpoint(step, lambda folder: state_write(folder, self.parameters, self.optimizer, values))
        self.saved_at = time.monotonic()
        if stop:
            raise Stopped(f"Stopped at step {step} of {self.spec.n_steps}; the next attempt goes on from there.")

    def _resume(self) -> int:
        folder = self.run.newest_checkpoint()
        if folder is None:
            return 0
        state_read(folder, self.parameters, self.optimizer)
        self.run.message(f"Going on from {folder.name}.")
        step: int = values_read(folder)["step"]
        return step


def _stream(seed: int, step: int) -> random.Random:
    return random.Random(f"rloo-{seed}-step-{step}")  # noqa: S311 - reproducible draws, not secrets
