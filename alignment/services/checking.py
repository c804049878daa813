"""What a launch needs before anything starts. Every refusal says what to do."""

from collections.abc import Mapping
from pathlib import Path

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import Recipe
from alignment.domain.states import VersionKind
from alignment.models import ModelVersion
from alignment.selectors.dialogues import dialogue_files
from alignment.selectors.ranking import JUDGE_HALF, REWARD_HALF, Usable
from alignment.services.specs import adapter_path
from feedback.domain.states import Split
from feedback.models import Project
from feedback.selectors.prompt import prompt_counts
from modeling.spec import RewardSpec, RLOOSpec

MIN_PAIRS = 20
MIN_PROMPTS = 10
"""Below these the five folds of a reward model hold two prompts each and every figure is noise."""

_WHOSE = {"": "", REWARD_HALF: " for the reward model", JUDGE_HALF: " for the judge"}
_SPLIT_IN_TWO = " Half of the prompts train the reward model, the others its judge."


def previous_check(*, recipe: Recipe, previous: ModelVersion) -> None:
    """Raises: RoundRefused unless the live version can be compared with, and continued where that is asked for."""
    if previous.kind == VersionKind.POLICY:
        adapter_path(previous)
    elif recipe.start == "continue":
        raise RoundRefused("There is no adapter to continue: the SFT policy is live. Start fresh.")


def prompts_check(*, recipe: Recipe, project: Project, base: ModelVersion) -> None:
    """Raises: RoundRefused unless there are prompts to train the policy on and to evaluate it with."""
    for file in dialogue_files(base):
        if not Path(file.path).is_file():
            raise RoundRefused(
                f"{Path(file.path).name}, which the base was tuned on, is gone, and only it tells which held-out "
                "prompts the base has seen: put it back."
            )
    counts = prompt_counts(project=project)
    if not counts[Split.HELDOUT]:
        raise RoundRefused(f"There are no prompts of the split '{Split.HELDOUT}': import more prompts.")
    needed = recipe.policy.get("prompts_per_step", RLOOSpec.prompts_per_step)
    if recipe.method == "rloo" and counts[Split.POOL] < needed:
        raise RoundRefused(
            f"The pool has {counts[Split.POOL]} prompts, one step takes {needed}: import more prompts of the split "
            f"'{Split.POOL}', or lower the prompts a step (policy.prompts_per_step)."
        )


def rankings_check(*, recipe: Recipe, usable: Mapping[str, Usable]) -> None:
    """Raises: RoundRefused unless every reward model of the round has enough to learn from."""
    folds = recipe.reward.get("folds", RewardSpec.folds)
    for half, found in usable.items():
        whose, why = _WHOSE[half], _SPLIT_IN_TWO if half else ""
        if found.n_pairs < MIN_PAIRS or found.n_prompts < MIN_PROMPTS:
            raise RoundRefused(
                f"So far{whose} there are {found.n_pairs} ranked pairs of {found.n_prompts} prompts; training needs at "
                f"least {MIN_PAIRS} pairs of {MIN_PROMPTS} prompts.{why} Ties are no pairs. Let people rank more."
            )
        if found.n_prompts < folds:
            raise RoundRefused(
                f"The {found.n_prompts} prompts{whose} with ranked pairs are not enough for {folds} folds: set the "
                f"folds (reward.folds) to at most {found.n_prompts}, or let people rank more.{why}"
            )
