"""Pairs that nobody judged: answers sampled to prompts of the pool, ordered by the reward model.

People judge few pairs. A reward model that learnt from them knows more of other answers than those pairs say, and a
policy learns that from answers of its own. How probably people would have preferred one of two answers is
sigmoid(score - score), and stands where a judged pair has what is believed of its judgment.

Sources: Liu et al., 2023 (https://arxiv.org/abs/2309.06657), section 3, for sampled pairs that a model labels; Fisch et
al., 2024 (https://arxiv.org/abs/2405.19316), for its probabilities in the place of labels.
"""

import functools
import itertools
import json
import random
from collections.abc import Collection, Sequence
from pathlib import Path

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

PROMPTS_AT_ONCE = 128
"""Prompts that are sampled together, between two looks at whether to stop."""
ANSWERS = "answers.json"

TokenIds = tuple[int, ...]


def pairs_sample(
    spec: DPOSpec,
    run: RunDir,
    policy: OfflinePolicy,
    tokenizer: PreTrainedTokenizerFast,
    *,
    kept_out: Collection[TokenIds] = (),
) -> list[Comparison]:
    """Return all pairs of answers that the policy gives before its training; none where the specification asks none.

    Prompts whose tokens are in `kept_out` are held out. Answers are kept beside the checkpoints for the next
    attempt. Raises: BadInput, Stopped.
    """
    if spec.prompts is None or not spec.n_prompts:
        return []
    ids = _prompts_draw(spec, run, policy, tokenizer, kept_out)
    reward = reward_model_load(policy.model, spec.reward, policy.device, base_sha256=policy.base_sha256)
    sampler, n = Sampler(policy.model, tokenizer, policy.device), spec.samples_per_prompt
    examples = _sample(spec, run, sampler, ids)
    scores_MN = _log_odds(reward, examples, spec.dimension)
    run.message(f"Sampled {len(examples)} answers to {len(ids)} prompts.")
    found = [pairs_of_scores(examples[i : i + n], scores_MN[:, i : i + n]) for i in range(0, len(examples), n)]
    return [comparison for comparison in found if comparison.pairs]


def pairs_of_scores(examples: Sequence[Example], scores_MN: Tensor) -> Comparison:
    """Return all pairs of a prompt's distinct answers, the higher score first, by the log-odds of M reward models.

    A pair is as probable as the models say on average, so less sure where they disagree.
    """
    first = {example: place for place, example in reversed(list(enumerate(examples)))}
    places = sorted(first.values(), key=lambda place: -float(scores_MN[:, place].mean()))
    pairs = [
        Pair(i, j, target=float(torch.sigmoid(scores_MN[:, places[i]] - scores_MN[:, places[j]]).mean()))
        for i, j in itertools.combinations(range(len(places)), 2)
    ]
    return Comparison(f"sampled {examples[0].prompt}", [examples[place] for place in places], pairs, is_judged=False)


def _prompts_draw(
    spec: DPOSpec,
    run: RunDir,
    policy: OfflinePolicy,
    tokenizer: PreTrainedTokenizerFast,
    kept_out: Collection[TokenIds],
) -> list[TokenIds]:
    assert spec.prompts is not None
    prompts = prompts_train_split(spec.prompts)
    if not prompts:
        raise BadInput(f"{spec.prompts.path} has no prompts: add some, or set n_prompts to 0.")
    context = min(spec.max_length, context_length(policy.model.get_base_model()))
    try:
        _, ids, n_skipped = prompts_encode(prompts, tokenizer, context=context, max_new_tokens=spec.max_new_tokens)
    except BadInput as error:
        raise BadInput(f"{error} Or set n_prompts to 0.") from error
    if n_skipped:
        run.message(f"Skipped {n_skipped} prompts that leave no room for an answer.")
    free = [prompt for prompt in ids if prompt not in kept_out]
    return random.Random(f"dpo-{spec.seed}").sample(free, min(spec.n_prompts, len(free)))  # noqa: S311 - a seeded draw


def _sample(spec: DPOSpec, run: RunDir, sampler: Sampler, ids: Sequence[TokenIds]) -> list[Example]:
    """Return each prompt's answers, prompt by prompt."""
    known, n = run.snapshots(), spec.samples_per_prompt
    answers: list[Example] = []
    for start in range(0, len(ids), PROMPTS_AT_ONCE):
        if run.should_stop:
            raise Stopped(f"Stopped after {len(answers)} sampled answers; the next attempt goes on from there.")
        rows = [(i, sample) for i in range(start, min(start + PROMPTS_AT_ONCE, len(ids))) for sample in range(n)]
        if start in known:
            found = json.loads((known[start] / ANSWERS).read_text(encoding="utf-8"))
        else:
            settings = DecodingSettings(max_new_tokens=spec.max_new_tokens)
            with adapter_active(sampler.model, POLICY):
                completions = sampler.sample(
                    [ids[i] for i, _ in rows], settings, [mix_seeds(spec.seed, *row) for row in rows]
                )
            found = [list(completion.token_ids) for completion in completions]
            run.save_snapshot(start, functools.partial(_write, answers=found))
        answers += [Example(ids[i], tuple(answer)) for (i, _), answer in zip(rows, found, strict=True)]
        run.progress(len(answers), len(ids) * n, "answers")
    return answers


def _write(folder: Path, *, answers: Sequence[Sequence[int]]) -> None:
    (folder / ANSWERS).write_text(json.dumps(answers), encoding="utf-8")


def _log_odds(reward: RewardModel, examples: Sequence[Example], dimension: str) -> Tensor:
    """Return scores_MN whose differences are log-odds of being preferred, by member: raw, as they were trained.

    Of a model of several dimensions the one that the pairs are judged by, or the weighted mean of all for the whole.
    Raises: BadInput when the model does not know the dimension.
    """
    if dimension and dimension not in reward.dimensions:
        known = ", ".join(map(repr, reward.dimensions))
        raise BadInput(f"The reward model does not score {dimension!r}, only {known}: set n_prompts to 0.")
    asked = {dimension: 1.0} if dimension else reward.dimensions
    shares = {name: asked.get(name, 0.0) / sum(asked.values()) for name in reward.dimensions}
    models = [RewardModel(member.model, member.name, member.device, dimensions=shares) for member in reward.members]
    return torch.stack([model.score_all(examples) for model in models])
