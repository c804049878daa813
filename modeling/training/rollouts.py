"""What every online stage does before its update: a pool of prompts, a policy beside its reference, sampled answers.

Answers come from the sampler that also serves, with the log-probabilities under which they were drawn. Knows no reward
and no loss. Shapes: N answers, A answer tokens (padded on the right).
"""

import functools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from modeling.data.fitting import context_length, prompts_encode
from modeling.data.prompts import Prompt
from modeling.errors import BadInput
from modeling.model.adapters import load_adapter, new_adapter, save_adapter
from modeling.model.batching import Example
from modeling.rundir import RunDir
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.sampler import Sampler
from modeling.spec import OnlineSpec
from modeling.training.snapshots import Snapshots

POLICY, REFERENCE = "default", "reference"


@dataclass(frozen=True)
class PromptPool:
    """Prompts that leave room for an answer, with their ids, and how many did not."""

    prompts: list[Prompt]
    ids: list[tuple[int, ...]]
    n_skipped: int


@dataclass(frozen=True)
class Answers:
    """One step's answers, N = prompts x samples, prompt by prompt."""

    prompts: list[Prompt]
    texts: list[str]
    examples: list[Example]
    cut: Tensor  # (N,), those that reached the length limit
    mask: Tensor  # (N, A), which places hold a token of an answer
    logprobs: Tensor  # (N, A), of each token when it was drawn, zero after each answer's end

    @property
    def n_tokens(self) -> int:
        """Answer tokens, end tokens included."""
        return sum(len(example.answer) for example in self.examples)

    @property
    def prompt_of_each(self) -> list[Prompt]:
        """The prompt of each answer."""
        per_prompt = len(self.texts) // len(self.prompts)
        return [prompt for prompt in self.prompts for _ in range(per_prompt)]

    def best(self, scores_N: Tensor) -> str:
        """Return the highest-scored answer beside its prompt, for the person who watches."""
        row = int(scores_N.argmax())
        return f"best of {len(self.texts)} answers: {self.prompt_of_each[row].text!r} {self.texts[row]!r}"

    def figures(self) -> dict[str, float]:
        """Return the mean length, the share of answers that were cut, and the entropy in nats per token.

        The mean of -log p over tokens drawn from p estimates the entropy without bias, and needs no other token's p.
        """
        return {
            "mean_tokens": self.n_tokens / len(self.examples),
            "cut_share": float(self.cut.double().mean()),
            "entropy": -float(self.logprobs.double().sum()) / self.n_tokens,
        }


def prompt_pool(
    spec: OnlineSpec,
    run: RunDir,
    prompts: Sequence[Prompt],
    tokenizer: PreTrainedTokenizerFast,
    base: PreTrainedModel,
) -> PromptPool:
    """Encode the prompts, leaving out those without room. Raises: BadInput when there are none."""
    if not prompts:
        raise BadInput(f"{spec.prompts.path} has no prompts: add some.")
    kept, ids, n_skipped = prompts_encode(
        prompts, tokenizer, context=context_length(base), max_new_tokens=spec.max_new_tokens
    )
    if n_skipped:
        run.message(f"Skipped {n_skipped} prompts that leave no room for an answer.")
    return PromptPool(kept, ids, n_skipped)


def policy_load(spec: OnlineSpec, base: PreTrainedModel, *, base_sha256: str) -> PeftModel:
    """Put the policy's trainable adapter on the base, and the frozen reference where it is an adapter too."""
    model: PreTrainedModel | PeftModel = base
    if spec.reference == "adapter":
        model = load_adapter(base, spec.adapter, name=REFERENCE, base_sha256=base_sha256)
    if spec.adapter:
        return load_adapter(model, spec.adapter, name=POLICY, trainable=True, base_sha256=base_sha256)
    return new_adapter(model, spec.lora, name=POLICY, seed=spec.seed)


def policy_snapshots(spec: OnlineSpec, run: RunDir, model: PeftModel, *, base_sha256: str) -> Snapshots:
    """Return the snapshots that the specification asks for, of the policy's adapter."""
    save = functools.partial(save_adapter, model, name=POLICY, base_sha256=base_sha256)
    return Snapshots(run, save, n=spec.snapshots, n_steps=spec.n_steps)


def reference_adapter(spec: OnlineSpec) -> str | None:
    """Return the adapter that the KL is taken to; None is the bare base."""
    return REFERENCE if spec.reference == "adapter" else None


def prompts_draw(n_prompts: int, n_drawn: int, *, step: int, seed: str) -> list[int]:
    """Return the step's prompts: the pool is gone through in a new order each time round, from step to step.

    A pool of fewer prompts than a step takes is gone through several times in one.
    """

    @functools.cache
    def order(number: int) -> list[int]:
        return random.Random(f"{seed}-{number}").sample(range(n_prompts), n_prompts)  # noqa: S311 - a seeded shuffle

    places = (divmod(place, n_prompts) for place in range(step * n_drawn, (step + 1) * n_drawn))
    return [order(number)[place] for number, place in places]


def answers_sample(
    spec: OnlineSpec, sampler: Sampler, pool: PromptPool, chosen: Sequence[int], stream: random.Random
) -> Answers:
    """Sample answers to the chosen prompts of the pool; makes the policy the active adapter."""
    positions = [position for position in chosen for _ in range(spec.samples_per_prompt)]
    assert isinstance(sampler.model, PeftModel)
    sampler.model.set_adapter(POLICY, inference_mode=True)
    sampler.model.eval()
    completions = sampler.sample(
        [pool.ids[position] for position in positions],
        DecodingSettings(max_new_tokens=spec.max_new_tokens, logprobs=True),
        [stream.getrandbits(48) for _ in positions],
    )
    logprobs = [torch.tensor(completion.logprobs) for completion in completions]
    lengths_N1 = torch.tensor([[len(row)] for row in logprobs])
    device = sampler.device.torch_device
    return Answers(
        prompts=[pool.prompts[position] for position in chosen],
        texts=[completion.text for completion in completions],
        examples=[
            Example(pool.ids[position], tuple(completion.token_ids))
            for position, completion in zip(positions, completions, strict=True)
        ],
        cut=torch.tensor([completion.finish_reason == "length" for completion in completions]),
        mask=(torch.arange(int(lengths_N1.max())) < lengths_N1).to(device),
        logprobs=pad_sequence(logprobs, batch_first=True).to(device),
    )


def step_stream(stage: str, seed: int, step: int) -> random.Random:
    """Return the generator of everything random in one step."""
    return random.Random(f"{stage}-{seed}-step-{step}")  # noqa: S311 - reproducible draws, not secrets
