"""Which reward models a run trains, on what and in which order: a function of data and seed alone.

First one for each fold of the prompts, trained without it and tested on it, then those that are kept, on everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modeling.spec import RewardSpec
from modeling.training.comparisons import Comparison, plan_draw
from modeling.training.folds import fold_assign


@dataclass(frozen=True)
class Fit:
    """One training: its batches in order, the prompts it is tested on, and which member of the ensemble it trains."""

    name: str
    batches: list[list[Comparison]]
    held_out: list[Comparison]
    fold: int = -1
    """-1 for the fits that are kept; they hold nothing out."""
    member: int = 0
    """The folds borrow the first member, which is put back to its first values for its own training."""


def fits_plan(comparisons: Sequence[Comparison], spec: RewardSpec) -> list[Fit]:
    """Return the folds' fits and the kept ones, with every batch that they will see."""
    folds = fold_assign([comparison.key for comparison in comparisons], n_folds=spec.folds, seed=spec.seed)
    fits = []
    for fold in range(spec.folds):
        train = [comparison for comparison in comparisons if folds[comparison.key] != fold]
        test = [comparison for comparison in comparisons if folds[comparison.key] == fold]
        fits.append(Fit(f"fold {fold + 1}", _batches(train, spec, f"fold {fold + 1}"), test, fold=fold))
    for member in range(spec.n_models):
        name = "final" if member == 0 else f"final {member + 1}"
        fits.append(Fit(name, _batches(comparisons, spec, name), [], member=member))
    return fits


def member_seed(spec: RewardSpec, member: int) -> int:
    """Return the seed of a member's first values; the first one's is the run's own."""
    return spec.seed + 1_000_003 * member


def _batches(comparisons: Sequence[Comparison], spec: RewardSpec, name: str) -> list[list[Comparison]]:
    return plan_draw(comparisons, epochs=spec.epochs, batch_pairs=spec.batch_pairs, seed=f"reward-{spec.seed}-{name}")
