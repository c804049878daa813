"""Best of n: several answers to each prompt, ordered by what a reward model, or anything else, thinks of them."""

from collections.abc import Callable, Sequence

import torch

from modeling.model.batching import Example
from modeling.sampling.decoding import Completion, DecodingSettings, Scored
from modeling.sampling.sampler import OnProgress, Sampler

Score = Callable[[Sequence[Example]], torch.Tensor | Sequence[float]]
"""Returns one number for each answer; the higher, the better."""


def sample_best(
    sampler: Sampler,
    prompts: Sequence[Sequence[int]],
    settings: DecodingSettings,
    seeds: Sequence[Sequence[int]],
    score: Score,
    on_progress: OnProgress | None = None,
) -> list[list[Scored]]:
    """Return each prompt's answers, one for each of its seeds, the best first; of equal ones the earlier is first."""
    rows = [(tuple(prompt), seed) for prompt, own in zip(prompts, seeds, strict=True) for seed in own]
    completions = sampler.sample([prompt for prompt, _ in rows], settings, [seed for _, seed in rows], on_progress)
    examples = [Example(prompt, tuple(answer.token_ids)) for (prompt, _), answer in zip(rows, completions, strict=True)]
    scored = iter(map(Scored, map(float, score(examples)), completions))
    return [best_first([next(scored) for _ in own]) for own in seeds]


def best_first(answers: Sequence[Scored]) -> list[Scored]:
    """Return answers from the highest score to the lowest."""
    return sorted(answers, key=lambda answer: -answer.score)


def mean_logprob(completion: Completion) -> float:
    """Return what OpenAI's `best_of` goes by: the log-probability per token, in nats."""
    assert completion.logprobs, "sampled with logprobs"
    return sum(completion.logprobs) / len(completion.logprobs)
