"""The full specification of every run: the recipe's fields, and the paths, hashes and seeds that the round fills in."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import BuildRecipe, Recipe, is_online
from alignment.domain.states import VersionKind
from alignment.models import ModelVersion, Round, Run
from alignment.selectors.deployment import version_base, version_path
from alignment.selectors.round import round_build
from alignment.selectors.rundir import artifact_path
from alignment.services.datasets import (
    RANKINGS,
    RANKINGS_OF_JUDGE,
    RANKINGS_OF_POLICY,
    prompts_file,
    snapshot_file,
    snapshot_files,
)
from alignment.services.version import version_name
from feedback.domain.states import Split
from feedback.models import Project
from feedback.selectors.prompt import prompt_counts
from modeling.spec import STAGES, DPOSpec, OnlineSpec, SpecError
from modeling.spec.base import pin_files

Fields = dict[str, Any]

IMPORTED_LENGTH = 2_048
"""Tokens of the longest conversation to train on where an imported model could take more: memory grows with it."""

N_SNAPSHOTS = 8
"""Adapters on the way of an online training, for the over-optimisation curve: seconds of the evaluation, and as many
points as tell a fall from noise."""


def spec_make(round: Round, purpose: str) -> tuple[str, Fields]:
    """Return the stage and the pinned specification of a round's run. Raises: RoundRefused."""
    stage, fields = (_BUILD if round.is_build else _TRAIN)[purpose](round)
    try:
        return stage, pin_files(STAGES[stage].from_json(fields)).to_json()
    except SpecError as error:
        raise RoundRefused(
            _("The %(purpose)s run cannot be made: %(why)s") % {"purpose": purpose, "why": error}
        ) from error


def build_recipe(project: Project) -> BuildRecipe:
    """Return the recipe that the project's base was built by."""
    build = round_build(project=project)
    if build is None:
        raise RoundRefused(_("This project has no base model yet: build or import one first."))
    return BuildRecipe.from_json(build.recipe)


# ---- Building -------------------------------------------------------------------------------------------------------


def _corpus(round_: Round) -> tuple[str, Fields]:
    recipe = BuildRecipe.from_json(round_.recipe)
    return "corpus", recipe.corpus | {"seed": recipe.seed}


def _tokenizer(round_: Round) -> tuple[str, Fields]:
    recipe = BuildRecipe.from_json(round_.recipe)
    return "tokenizer", recipe.tokenizer | {"seed": recipe.seed, "texts": _texts(round_, recipe)}


def _pretrain(round_: Round) -> tuple[str, Fields]:
    recipe = BuildRecipe.from_json(round_.recipe)
    tokenizer = str(artifact_path(_run(round_, "tokenizer"), "tokenizer"))
    return "pretrain", recipe.pretrain | {
        "seed": recipe.seed, "texts": _texts(round_, recipe), "tokenizer": tokenizer,
    }  # fmt: skip


def _sft(round_: Round) -> tuple[str, Fields]:
    recipe = BuildRecipe.from_json(round_.recipe)
    name = version_name(round_, "import" if recipe.kind == "import" else "pretrain")
    base = version_path(ModelVersion.objects.get(name=name))
    return "sft", _limit(recipe) | recipe.sft | {
        "seed": recipe.seed,
        "base": base,
        "dialogues": _dialogues(round_, recipe),
    }


def _texts(round_: Round, recipe: BuildRecipe) -> list[Fields]:
    """Plain texts, and the dialogues too: a base that never saw the role tokens cannot be taught them by adapters."""
    if recipe.kind == "demo":
        return [_file(artifact_path(_run(round_, "corpus"), "texts.jsonl"))]
    # Dialogues in the Alpaca format are no documents; convert them to .jsonl to have them in the mix.
    return [_file(path) for path in (*recipe.texts, *(path for path in recipe.dialogues if path.endswith(".jsonl")))]


def _dialogues(round_: Round, recipe: BuildRecipe) -> list[Fields]:
    if recipe.kind == "demo":
        return [_file(artifact_path(_run(round_, "corpus"), "dialogues.jsonl"))]
    return [_file(path) for path in recipe.dialogues]


# ---- Training -------------------------------------------------------------------------------------------------------


def _reward(round_: Round) -> tuple[str, Fields]:
    gold = build_recipe(round_.project).gold
    return "reward", _reward_fields(round_, RANKINGS if gold else RANKINGS_OF_POLICY)


def _judge(round_: Round) -> tuple[str, Fields]:
    return "reward", _reward_fields(round_, RANKINGS_OF_JUDGE)


def _reward_fields(round_: Round, rankings: str) -> Fields:
    recipe = Recipe.from_json(round_.recipe)
    return _limit(build_recipe(round_.project)) | recipe.reward | {
        "seed": recipe.seed, "base": version_path(round_base(round_)), "preferences": snapshot_files(round_, rankings),
    }  # fmt: skip


def _policy(round_: Round) -> tuple[str, Fields]:
    recipe = Recipe.from_json(round_.recipe)
    stage, built = recipe.policy_spec.stage, build_recipe(round_.project)
    fields = recipe.policy | {"seed": recipe.seed, "base": version_path(round_base(round_))}
    if recipe.start == "continue":
        fields["adapter"] = adapter_path(round_previous(round_))
        if recipe.reference == "previous":
            fields["reference"] = "adapter"
    if is_online(recipe.policy_spec):
        return stage, {"max_new_tokens": built.max_new_tokens} | _kept_on_the_way(recipe) | fields | {
            "reward": _made(round_, "reward"), "prompts": _file(prompts_file(round_, Split.POOL)),
        }  # fmt: skip
    # Without a gold score the other half is the judge's: a policy must not have seen what it is judged by.
    rankings = RANKINGS if built.gold else RANKINGS_OF_POLICY
    fields |= {"preferences": [snapshot_file(round_, rankings)]} | _sampled_pairs(round_, recipe)
    return stage, _limit(built) | {"max_new_tokens": built.max_new_tokens} | fields


def _sampled_pairs(round_: Round, recipe: Recipe) -> Fields:
    """Return by what an offline training samples pairs beside the judged ones; a pool without prompts gives none."""
    asked_for = recipe.policy.get("n_prompts", DPOSpec.n_prompts)
    if not asked_for or not prompt_counts(project=round_.project)[Split.POOL]:
        return {}
    return {"reward": _made(round_, "reward"), "prompts": _file(prompts_file(round_, Split.POOL))}


def _kept_on_the_way(recipe: Recipe) -> Fields:
    """Return how many adapters a training in steps keeps for the evaluation to look back on."""
    spec = recipe.policy_spec
    if not issubclass(spec, OnlineSpec):
        return {}
    return {"snapshots": min(N_SNAPSHOTS, recipe.policy.get("n_steps", spec.n_steps))}


def _evaluate(round_: Round) -> tuple[str, Fields]:
    recipe, built = Recipe.from_json(round_.recipe), build_recipe(round_.project)
    previous = round_previous(round_)
    judge = {"gold": built.gold} if built.gold else {"judge": _made(round_, "judge")}
    return "evaluate", {"max_new_tokens": built.max_new_tokens} | recipe.evaluation | judge | {
        "seed": recipe.seed,
        "base": version_path(round_base(round_)),
        "policy": _made(round_, "policy"),
        "previous": adapter_path(previous) if previous.kind == VersionKind.POLICY else "",
        "reward": _made(round_, "reward"),
        "prompts": _file(prompts_file(round_, Split.HELDOUT)),
        "snapshots": _snapshots(round_),
        "texts": _texts_still_here(round_.project, built),
    }


def _snapshots(round_: Round) -> str:
    """Return the folder of the adapters that the policy's training kept on its way; empty where it kept none."""
    policy = _run(round_, "policy")
    return str(artifact_path(policy, "snapshots")) if "snapshots" in policy.result["artifacts"] else ""


def _texts_still_here(project: Project, built: BuildRecipe) -> list[Fields]:
    """Return the texts that the base was pretrained on, as far as they are still on this disk; an import has none."""
    build = round_build(project=project)
    texts = _texts(build, built) if build is not None and built.kind != "import" else []
    return [text for text in texts if Path(text["path"]).is_file()]


_BUILD: dict[str, Callable[[Round], tuple[str, Fields]]] = {
    "corpus": _corpus, "tokenizer": _tokenizer, "pretrain": _pretrain, "sft": _sft,
}  # fmt: skip
_TRAIN: dict[str, Callable[[Round], tuple[str, Fields]]] = {
    "reward": _reward, "judge": _judge, "policy": _policy, "evaluate": _evaluate,
}  # fmt: skip


# ---- What specifications name ---------------------------------------------------------------------------------------


def round_previous(round: Round) -> ModelVersion:
    """Return the version that was live when the round was launched."""
    assert round.previous is not None, f"{round} was not launched"
    return round.previous


def round_base(round: Round) -> ModelVersion:
    """Return the frozen SFT base under all adapters of a launched round."""
    return version_base(round_previous(round))


def adapter_path(version: ModelVersion) -> str:
    """Return the folder of an adapter that was published. Raises: RoundRefused when files of it are gone."""
    folder = Path(version_path(version))
    if not folder.is_dir() or not all((folder / name).is_file() for name in version.files):
        raise RoundRefused(
            _("The files of %(version)s are gone from the artifacts: put them back, or deploy another version.")
            % {"version": version}
        )
    return str(folder)


def _limit(recipe: BuildRecipe) -> Fields:
    """Return the longest conversation to train on where the build sets one: what the SFT or the base was made for."""
    length = recipe.sft.get("max_length") or recipe.pretrain.get("context_length") or _imported_length(recipe)
    return {"max_length": length} if length else {}


def _imported_length(recipe: BuildRecipe) -> int | None:
    """Return how long an imported folder's conversations may be; nothing for a hub id, which the run alone loads."""
    config = Path(recipe.base) / "config.json"
    if recipe.kind != "import" or not config.is_absolute() or not config.is_file():
        return None
    try:
        context = json.loads(config.read_text(encoding="utf-8"))["max_position_embeddings"]
        return min(int(context), IMPORTED_LENGTH)
    except (ValueError, KeyError, TypeError):
        return None  # a family that names it otherwise, or no configuration: the run that loads the model says so


def _made(round_: Round, purpose: str) -> str:
    return adapter_path(ModelVersion.objects.get(name=version_name(round_, purpose)))


def _run(round_: Round, purpose: str) -> Run:
    return round_.runs.get(purpose=purpose)


def _file(path: str | Path) -> Fields:
    return {"path": str(path)}
