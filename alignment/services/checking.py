"""What a launch needs before anything starts. Every refusal says what to do."""

from collections.abc import Mapping
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import Recipe, is_online
from alignment.domain.states import VersionKind
from alignment.models import ModelVersion
from alignment.selectors.dialogues import dialogue_files
from alignment.selectors.ranking import JUDGE_HALF, REWARD_HALF, Usable
from alignment.services.specs import adapter_path
from feedback.domain.states import Split
from feedback.models import Project
from feedback.selectors.prompt import prompt_counts
from modeling.spec import RewardSpec

MIN_PAIRS = 20
MIN_PROMPTS = 10
"""Below these a fold of a reward model holds three prompts and every figure is noise."""

_WHOSE = {"": "", REWARD_HALF: gettext_lazy(" for the reward model"), JUDGE_HALF: gettext_lazy(" for the judge")}
_SPLIT_IN_TWO = gettext_lazy(" Half of the prompts train the reward model, the others its judge.")


def previous_check(*, recipe: Recipe, previous: ModelVersion) -> None:
    """Raises: RoundRefused unless the live version can be compared with, and continued where that is asked for."""
    if previous.kind == VersionKind.POLICY:
        adapter_path(previous)
    elif recipe.start == "continue":
        raise RoundRefused(_("There is no adapter to continue: the SFT policy is live. Start fresh."))


def prompts_check(*, recipe: Recipe, project: Project, base: ModelVersion) -> None:
    """Raises: RoundRefused unless there are prompts to train the policy on and to evaluate it with."""
    for file in dialogue_files(base):
        if not Path(file.path).is_file():
            raise RoundRefused(
                _(
                    "%(file)s, which the base was tuned on, is gone, and only it tells which held-out prompts the base "
                    "has seen: put it back."
                )
                % {"file": Path(file.path).name}
            )
    counts = prompt_counts(project=project)
    for split in (Split.HELDOUT, Split.POOL) if is_online(recipe.policy_spec) else (Split.HELDOUT,):
        if not counts[split]:
            raise RoundRefused(
                _("There are no prompts of the split '%(split)s': import more prompts.") % {"split": split}
            )


def rankings_check(*, recipe: Recipe, usable: Mapping[str, Usable]) -> None:
    """Raises: RoundRefused unless every reward model of the round has enough to learn from."""
    folds = recipe.reward.get("folds", RewardSpec.folds)
    for half, found in usable.items():
        whose, why = _WHOSE[half], _SPLIT_IN_TWO if half else ""
        if found.n_pairs < MIN_PAIRS or found.n_prompts < MIN_PROMPTS:
            raise RoundRefused(
                _(
                    "So far%(whose)s there are %(pairs)d ranked pairs of %(prompts)d prompts; training needs at least "
                    "%(min_pairs)d pairs of %(min_prompts)d prompts.%(why)s Ties are no pairs. Let people rank more."
                )
                % {
                    "whose": whose,
                    "pairs": found.n_pairs,
                    "prompts": found.n_prompts,
                    "min_pairs": MIN_PAIRS,
                    "min_prompts": MIN_PROMPTS,
                    "why": why,
                }
            )
        if found.n_prompts < folds:
            raise RoundRefused(
                _(
                    "The %(prompts)d prompts%(whose)s with ranked pairs are not enough for %(folds)d folds: set the "
                    "folds (reward.folds) to at most %(prompts)d, or let people rank more.%(why)s"
                )
                % {"prompts": found.n_prompts, "whose": whose, "folds": folds, "why": why}
            )
