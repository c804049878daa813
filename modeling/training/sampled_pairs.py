"""Pairs that nobody judged: answers sampled to prompts of the pool, ordered by the reward model.

People judge few pairs. A reward model that learnt from them knows more of other answers than those pairs say, and a
policy learns that from answers of its own. How probably people would have preferred one of two answers is
sigmoid(score - score), and stands where a judged pair has what is believed of its judgment.

Sources: Liu et al., 2023 (https://arxiv.org/abs/2309.06657), section 3, for sampled pairs that a model labels; Fisch et
al., 2024 (https://arxiv.org/abs/2405.19316), for its probabilities in the place of labels.
"""

import itertools
import math
import random
from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from modeling.data.fitting import context_length, prompts_encode
from modeling.data.prompts import prompts_train_split
from modeling.errors import BadInput, Stopped
from modeling.model.adapter_switching import adapter_active
from modeling.model.batching import Example
from modeling.model.reward import RewardModel, reward_model_load
from modeling.rundir import RunDir
from modeling.sampling.decoding import DecodingSettings
from modeling.sampling.randomness import mix_seeds
from modeling.sampling.sampler import Sampler
from modeling.spec import DPOSpec
from modeling.training.comparisons import Comparison, Pair
from modeling.training.offline_policy import POLICY, OfflinePolicy


def pairs_sample(
    spec: DPOSpec,
    run: RunDir,
    policy: OfflinePolicy,
    tokenizer: PreTrainedTokenizerFast,
    *,
    kept_out: Collection[str] = (),
) -> list[Comparison]:
    """Return all pairs of answers that the policy gives before its training; none where the specification asks none.

    Prompts in `kept_out` are held out. A run that goes on samples again, and gets the same answers.
    Raises: BadInput, Stopped.
    """
    if spec.prompts is None or not spec.n_prompts:
        return []
    prompts = [prompt for prompt in prompts_train_split(spec.prompts) if prompt.id not in kept_out]
    if not prompts:
        raise BadInput(f"{spec.prompts.path} has no prompts to train on: add some, or set n_prompts to 0.")
    drawn = random.Random(f"dpo-{spec.seed}").sample(prompts, min(spec.n_prompts, len(prompts)))  # noqa: S311 - a seeded draw
    context = context_length(policy.model.get_base_model())
    fitting, ids, n_skipped = prompts_encode(drawn, tokenizer, context=context, max_new_tokens=spec.max_new_tokens)
    if n_skipped:
        run.message(f"Skipped {n_skipped} prompts that leave no room for an answer.")
    examples = _sample(spec, run, policy, Sampler(policy.model, tokenizer, policy.device), ids)
    reward = reward_model_load(policy.model, spec.reward, policy.device, base_sha256=policy.base_sha256)
    scores_N = _log_odds(reward, examples)
    n = spec.samples_per_prompt
    found = [
        pairs_of_scores(f"sampled {prompt.id}", examples[start : start + n], scores_N[start : start + n].tolist())
        for prompt, start in zip(fitting, itertools.count(step=n), strict=False)
    ]
    run.message(f"Sampled {len(examples)} answers to {len(fitting)} prompts.")
    return [comparison for comparison in found if comparison.pairs]


def pairs_of_scores(key: str, examples: Sequence[Example], scores: Sequence[float]) -> Comparison:
    """Return all pairs of a prompt's distinct answers, the higher score first, each as probable as the scores say."""
    scored = dict(zip(examples, scores, strict=True))
    best_first = sorted(scored, key=lambda example: -scored[example])
    pairs = [
        Pair(i, j, target=1 / (1 + math.exp(scored[best_first[j]] - scored[best_first[i]])))
        for i, j in itertools.combinations(range(len(best_first)), 2)
    ]
    return Comparison(key, best_first, pairs)


def _sample(
    spec: DPOSpec, run: RunDir, policy: OfflinePolicy, sampler: Sampler, ids: Sequence[tuple[int, ...]]
) -> list[Example]:
    def on_progress(done: int, total: int) -> None:
        run.progress(done, total, "answers")
        if run.should_stop:
            raise Stopped("Stopped while answers were sampled; the next attempt samples them again.")

    n = spec.samples_per_prompt
    rows = [(position, sample) for position in range(len(ids)) for sample in range(n)]
    with adapter_active(policy.model, POLICY):
        completions = sampler.sample(
            [ids[position] for position, _ in rows], DecodingSettings(max_new_tokens=spec.max_new_tokens),
            [mix_seeds(spec.seed, position, sample) for position, sample in rows], on_progress=on_progress,
        )  # fmt: skip
    return [
        Example(ids[position], tuple(completion.token_ids))
        for (position, _), completion in zip(rows, completions, strict=True)
    ]


def _log_odds(reward: RewardModel, examples: Sequence[Example]) -> Tensor:
    """Return scores_N whose differences are log-odds of being preferred: as trained, the mean of an ensemble's."""
    return torch.stack([member.score_all(examples) for member in reward.members]).mean(dim=0)
