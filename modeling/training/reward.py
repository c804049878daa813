"""Stage `reward`: a reward model from judged pairs, and how well it judges prompts that it has not seen.

First some models, each trained without one fold of the prompts and tested on it, then the kept one on everything, or an
ensemble of them from other first values and batches; all are adapters on the same frozen base. The rows behind every
held-out figure are in `heldout.jsonl`.

Our own loop; the reasons are in docs/adr/0002-trainers.md.
"""

from collections.abc import Sequence
from typing import Any

from modeling.data.fitting import context_length
from modeling.data.preferences import Preference, read_preferences
from modeling.device import Device, pick_device
from modeling.errors import BadInput, Refused
from modeling.evaluation.held_out import held_out_write
from modeling.evaluation.reward_figures import reward_figures
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.model.reward import OVERALL, RewardModel, reward_model_new, reward_model_save
from modeling.rundir import RunDir
from modeling.spec import RewardSpec
from modeling.training.comparisons import Comparison, Pair, comparisons_build
from modeling.training.reward_fits import fits_plan, member_seed
from modeling.training.reward_loop import RewardTraining
from modeling.training.reward_losses import LN_2, tie_odds_of
from modeling.training.weighting import comparisons_weigh

COLLAPSED = 1e-3
"""Standard deviation of scores, in log-odds, below which no pair is told apart: healthy models have 0.5 and more."""

COIN = 0.5
"""Accuracy of a model that knows nothing. One whose interval lies above it knows an order, however unsure its loss."""

RULED_BY_LENGTH = 0.5
"""Share of the variance of score differences that length may explain in a model that follows it more than people do:
0.1 in honest models of the demo, whose coefficients are yet twice those of their noisy annotators."""


def run(spec: RewardSpec, run: RunDir) -> dict[str, Any]:
    """Train, test and save the reward model. Raises: BadInput, Refused, Stopped."""
    device = pick_device()
    preferences, dimensions, n_elsewhere = _preferences_read(spec)
    tokenizer = load_tokenizer(spec.base)
    base = load_base(spec.base, device)
    max_length = min(spec.max_length, context_length(base))
    built, n_skipped = comparisons_build(preferences, tokenizer, max_length=max_length)
    if n_skipped:
        run.message(f"Skipped {n_skipped} of {len(preferences)} pairs: longer than {max_length} tokens or empty.")
    comparisons, n_weightless = comparisons_weigh(built, spec.labels)
    if n_weightless:
        run.message(f"Left out {n_weightless} pairs whose judgments weigh nothing.")
    pairs = [pair for comparison in comparisons for pair in comparison.pairs]
    _check_usable(comparisons, pairs, spec)
    reward = _members_new(base, spec, device, dimensions)
    tie_share = sum(pair.weight for pair in pairs if pair.judgment.tie) / sum(pair.weight for pair in pairs)
    training = RewardTraining(spec, run, reward, fits_plan(comparisons, spec), tie_odds=tie_odds_of(tie_share))
    held_out = training.train()
    held_out_write(run.artifact("heldout.jsonl"), held_out)
    figures = reward_figures(held_out)
    run.message(f"Held out: {figures['reward_accuracy']:.3f} of {figures['reward_accuracy_n']} pairs judged right.")
    figures |= _measure_scores(reward, comparisons)
    _refuse(figures, reward, spec)
    if not figures["heldout_loss"] < LN_2:
        run.message(
            f"The reward model is too sure: believe its order, not its probabilities (held-out loss "
            f"{figures['heldout_loss']:.3f}, a coin's is {LN_2:.3f}). More rankings or fewer epochs help."
        )
    reward_model_save(reward, run.artifact("reward"), base_sha256=base_sha256(spec.base))
    return figures | {
        "n_pairs": len(pairs),
        "n_ties": sum(pair.judgment.tie for pair in pairs),
        "n_pairs_skipped": n_skipped,
        "n_pairs_weightless": n_weightless,
        "n_pairs_of_other_dimensions": n_elsewhere,
        "n_prompts": len(comparisons),
    }


def _preferences_read(spec: RewardSpec) -> tuple[list[Preference], dict[str, float], int]:
    """Return the rows of the dimensions that have a weight, the weights, and how many other rows there are.

    Raises: BadInput when the rows cannot teach what is better.
    """
    given = list(read_preferences(spec.preferences))
    if not given:
        raise BadInput("There are no preferences to train on: rank some answers first.")
    weights = spec.dimensions or dict(OVERALL)
    named = {row.judgment.dimension for row in given}
    if missing := sorted(weights.keys() - named):
        known = ", ".join(map(repr, sorted(named)))
        raise BadInput(f"No pair was judged for dimension {missing[0]!r}; there are {known}.")
    preferences = [row for row in given if row.judgment.dimension in weights]
    _check_sides(preferences)
    return preferences, weights, len(given) - len(preferences)


def _check_sides(preferences: Sequence[Preference]) -> None:
    """Raises: BadInput when the rows have nothing on one of the sides that a model could learn to tell apart."""
    decided = [row for row in preferences if not row.judgment.tie]
    if not decided:
        raise BadInput("Every preference is a tie, so nothing says what is better: rank answers that differ.")
    for side, texts in (("wins", {row.chosen for row in decided}), ("loses", {row.rejected for row in decided})):
        if len(texts) == 1 and len(decided) > 1:
            raise BadInput(
                f"One and the same answer {side} in all {len(decided)} pairs, so a model would learn that text and "
                "nothing else: give pairs with different answers."
            )


def _check_usable(comparisons: Sequence[Comparison], pairs: Sequence[Pair], spec: RewardSpec) -> None:
    """Raises: BadInput when too little is left to train on."""
    if len(comparisons) < spec.folds:
        raise BadInput(
            f"{len(comparisons)} prompts with usable preferences are too few for {spec.folds} folds: "
            f"rank answers to at least {spec.folds} prompts."
        )
    if all(pair.target == 0.5 for pair in pairs):
        raise BadInput(
            "No judgment that can be believed says which answer is better: their annotators do no better than a coin. "
            "Ask others, or train with labels 'hard'."
        )


def _members_new(base: Any, spec: RewardSpec, device: Device, dimensions: dict[str, float]) -> RewardModel:
    model, members = base, []
    for number in range(spec.n_models):
        name = "reward" if number == 0 else f"reward-{number + 1}"
        member = reward_model_new(
            model, spec.lora, device, seed=member_seed(spec, number), name=name, dimensions=dimensions
        )
        model = member.model
        members.append(member)
    members[0].further = tuple(members[1:])
    return members[0]


def _measure_scores(reward: RewardModel, comparisons: Sequence[Comparison]) -> dict[str, float]:
    """Give every member the mean and spread of its scores on the training answers; return what is reported of them."""
    examples = [example for comparison in comparisons for example in comparison.examples]
    for member in reward.members:
        scores_N = member.score_all(examples).double()
        member.mean, member.std = float(scores_N.mean()), max(float(scores_N.std()), 1e-6)
    disagreement = {"disagreement": float(reward.disagreement(examples).mean())} if reward.further else {}
    return {"score_std": reward.std} | disagreement


def _refuse(figures: dict[str, Any], reward: RewardModel, spec: RewardSpec) -> None:
    """Raises: Refused when the model must not be used."""
    if not figures["heldout_loss"] < LN_2 and not figures["reward_accuracy_low"] > COIN:
        raise Refused(
            f"The reward model learned nothing that holds on unseen prompts: its held-out loss is "
            f"{figures['heldout_loss']:.3f}, a coin's is {LN_2:.3f}. Collect more rankings or check that people agree."
        )
    spread = min(member.std for member in reward.members)
    if spread < COLLAPSED:
        raise Refused(
            f"The reward model has collapsed: it gives all answers nearly the same score (standard deviation "
            f"{spread:.2g}). Lower learning_rate."
        )
    if figures["length_excess_p"] < spec.length_level and figures["length_share"] > RULED_BY_LENGTH:
        raise Refused(
            f"The reward model goes by length, and people do so less: its length coefficient on held-out pairs is "
            f"{figures['length_coefficient']:.2f}, theirs is {figures['length_coefficient_people']:.2f} "
            f"(p = {figures['length_excess_p']:.1g}), and length explains {figures['length_share']:.0%} of its scores. "
            "Collect rankings in which short answers win."
        )
