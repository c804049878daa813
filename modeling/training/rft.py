"""Stage `rft`: sample n answers to each prompt, keep the best by the reward model, and fine-tune on what was kept.

The answers are those of the base, or of the adapter that training continues; what is made is an adapter on the same
base. Both phases are steps of one run: a checkpoint holds the answers kept so far, and the adapter with its optimizer.

Sources: rejection sampling in Touvron et al., 2023, https://arxiv.org/abs/2307.09288, section 3.2.3; RAFT, Dong et al.,
2023, https://arxiv.org/abs/2304.06767.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from modeling.data.fitting import context_length, prompts_encode
from modeling.data.prompts import Prompt, prompts_train_split
from modeling.device import pick_device
from modeling.errors import BadInput, Refused
from modeling.model.adapter_switching import adapter_active
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.batching import Example
from modeling.model.logprobs import sequence_logprobs
from modeling.model.reward import RewardModel, reward_model_load
from modeling.rundir import RunDir
from modeling.sampling.decoding import Completion, DecodingSettings
from modeling.sampling.randomness import mix_seeds
from modeling.sampling.sampler import Sampler
from modeling.spec import RFTSpec
from modeling.training.finetuning import FineTuning
from modeling.training.rollouts import POLICY
from modeling.training.rows import Row

N_LOOKED_AT = 256
"""Answers of the finished policy behind its figures: a KL of some nats is then known to a few tenths."""

Values = dict[str, Any]


def run(spec: RFTSpec, run: RunDir) -> dict[str, Any]:
    """Sample, select, train and save the policy's adapter. Raises: BadInput, Refused, Stopped."""
    device, tokenizer = pick_device(spec.stage), load_tokenizer(spec.base)
    prompts = _drawn(spec, prompts_train_split(spec.prompts))
    base, sha256 = load_base(spec.base, device, quantize=spec.lora.quantize), base_sha256(spec.base)
    fitting, ids, n_skipped = prompts_encode(
        prompts, tokenizer, context=context_length(base), max_new_tokens=spec.max_new_tokens
    )
    if n_skipped:
        run.message(f"Skipped {n_skipped} prompts that leave no room for an answer.")
    model = _policy(spec, base, sha256)
    tuning = FineTuning(spec, run, model, device)
    reward = reward_model_load(model, spec.reward, device, base_sha256=sha256)
    selection = Selection(spec, run, reward, Sampler(model, tokenizer, device), fitting, ids)
    values = selection.collect(tuning, tuning.checkpoints.resume())
    rows = [_row(ids[best["prompt"]], best["answer"]) for best in values["best"]]
    model.set_adapter(POLICY)
    loss = tuning.train(rows, values, n_before=selection.n_steps)
    save_adapter(model, run.artifact("adapter"), name=POLICY, base_sha256=sha256)
    counts = {"n_prompts": len(fitting), "n_prompts_skipped": n_skipped, "loss": loss}
    return selection.figures(values) | selection.look() | counts


def best_answers(scores_PS: Tensor, cut_PS: Tensor, *, margin: float) -> list[int | None]:
    """Return for each prompt which of its answers is kept, the first of the highest score; None where none is.

    An answer that was cut at the length limit is never kept: it has no end to learn.
    """
    kept: list[int | None] = []
    for scores_S, cut_S in zip(scores_PS, cut_PS, strict=True):
        best = int(scores_S.masked_fill(cut_S, -float("inf")).argmax())
        good = not bool(cut_S[best]) and float(scores_S[best] - scores_S.mean()) >= margin
        kept.append(best if good else None)
    return kept


@dataclass
class Selection:
    """The first phase: answers sampled, scored and selected, some prompts a step."""

    spec: RFTSpec
    run: RunDir
    reward: RewardModel
    sampler: Sampler
    prompts: Sequence[Prompt]
    ids: Sequence[tuple[int, ...]]

    @property
    def n_steps(self) -> int:
        return -(-len(self.prompts) // self.spec.prompts_per_step)

    def collect(self, tuning: FineTuning, values: Values) -> Values:
        """Go on from a checkpoint's values to those of the last step. Raises: Refused when nothing is kept."""
        start: Values = {"best": [], "n_sampled": 0, "n_cut": 0, "reward_sum": 0.0}
        values = start | values
        tuning.checkpoints.n_steps = self.n_steps
        for step in range(values["step"], self.n_steps):
            tuning.checkpoints.write_if_due(step, values)
            self._add(step, values)
            self.run.progress(step + 1, 2 * self.n_steps)  # as if training took as long: its steps are not known yet
        if not values["best"]:
            raise Refused("No answer was worth keeping: lower margin, or raise max_new_tokens if answers are cut.")
        if values["step"] < self.n_steps:
            self.run.message(f"Kept {len(values['best'])} of {values['n_sampled']} answers.")
        return values

    def figures(self, values: Values) -> dict[str, Any]:
        """Return what was selected out of what; rewards are in units of their spread, around their mean."""
        return {
            "n_sampled": values["n_sampled"],
            "n_cut": values["n_cut"],
            "n_kept": len(values["best"]),
            "sampled_reward": values["reward_sum"] / values["n_sampled"],
            "kept_reward": sum(best["reward"] for best in values["best"]) / len(values["best"]),
        }

    def look(self) -> dict[str, float]:
        """Return the finished policy's mean reward and length, and its KL to the base in nats, on training prompts."""
        n = self.spec.samples_per_prompt
        asked = [(row % len(self.ids), n + row // len(self.ids)) for row in range(N_LOOKED_AT)]
        positions = [position for position, _ in asked]
        seeds = [mix_seeds(self.spec.seed, position, sample) for position, sample in asked]
        examples, _ = self._sample(positions, seeds, POLICY)
        model, device = self.sampler.model, self.sampler.device
        with adapter_active(model, POLICY):
            policy_N = sequence_logprobs(model, examples, device)
        with adapter_active(model, None):
            log_ratios_N = policy_N - sequence_logprobs(model, examples, device)
        return {
            "final_reward": float(self.reward.standardised(examples).mean()),
            "final_kl_nats": float(log_ratios_N.mean()),
            "final_mean_tokens": sum(len(example.answer) for example in examples) / len(examples),
        }

    def _add(self, step: int, values: Values) -> None:
        n, first = self.spec.samples_per_prompt, step * self.spec.prompts_per_step
        chosen = range(first, min(first + self.spec.prompts_per_step, len(self.ids)))
        positions = [position for position in chosen for _ in range(n)]
        seeds = [mix_seeds(self.spec.seed, position, sample) for position in chosen for sample in range(n)]
        examples, completions = self._sample(positions, seeds, POLICY if self.spec.adapter else None)
        scores_N = self.reward.standardised(examples)
        cut_N = scores_N.new_tensor([completion.finish_reason == "length" for completion in completions]).bool()
        kept = best_answers(scores_N.view(-1, n), cut_N.view(-1, n), margin=self.spec.margin)
        for place, sample in enumerate(kept):
            if sample is not None:
                row = place * n + sample
                values["best"].append(
                    {"prompt": chosen[place], "answer": list(examples[row].answer), "reward": float(scores_N[row])}
                )
        values["n_sampled"] += len(examples)
        values["n_cut"] += int(cut_N.sum())
        values["reward_sum"] += float(scores_N.double().sum())
        self.run.metrics(step + 1, sampled_reward=float(scores_N.mean()), n_kept=len(values["best"]))
        if step == 0:
            row = int(scores_N.argmax())
            prompt = self.prompts[positions[row]]
            self.run.message(f"Best of {len(examples)} answers: {prompt.text!r} {completions[row].text!r}")

    def _sample(
        self, positions: Sequence[int], seeds: Sequence[int], adapter: str | None
    ) -> tuple[list[Example], list[Completion]]:
        with adapter_active(self.sampler.model, adapter):
            completions = self.sampler.sample(
                [self.ids[position] for position in positions],
                DecodingSettings(max_new_tokens=self.spec.max_new_tokens), seeds,
            )  # fmt: skip
        examples = [
            Example(self.ids[position], tuple(completion.token_ids))
            for position, completion in zip(positions, completions, strict=True)
        ]
        return examples, completions


def _drawn(spec: RFTSpec, prompts: Sequence[Prompt]) -> list[Prompt]:
    if not prompts:
        raise BadInput(f"{spec.prompts.path} holds no prompts.")
    generator = random.Random(f"rft-{spec.seed}")  # noqa: S311 - a seeded draw
    return generator.sample(list(prompts), min(spec.n_prompts, len(prompts)))


def _policy(spec: RFTSpec, base: PreTrainedModel, sha256: str) -> PeftModel:
    if spec.adapter:
        return load_adapter(base, spec.adapter, name=POLICY, trainable=True, base_sha256=sha256)
    return new_adapter(base, spec.lora, name=POLICY, seed=spec.seed)


def _row(prompt: tuple[int, ...], answer: Sequence[int]) -> Row:
    return Row((*prompt, *answer), tuple(range(len(prompt), len(prompt) + len(answer))))
