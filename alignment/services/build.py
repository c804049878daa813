"""Round 0: a project's base and SFT policy, made here from texts or brought along."""

from pathlib import Path
from typing import Any

from django.db import transaction as database
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from alignment.domain.errors import DeploymentRefused, RoundRefused
from alignment.domain.recipe import BuildRecipe
from alignment.domain.states import DeploymentState, RoundState, RunState, VersionKind
from alignment.models import Deployment, ModelVersion, Round
from alignment.selectors.build import build_stages
from alignment.selectors.round import round_live
from alignment.selectors.rundir import artifact_path
from alignment.services.deployment import deployment_finish, deployment_start
from alignment.services.ensure import run_ensure
from alignment.services.permission import manager_ensure
from alignment.services.version import folder_hashes, version_import, version_publish
from feedback.dispatch import dispatch
from feedback.models import Project, Prompt, User
from feedback.services.prompt import prompts_import
from feedback.services.transition import transition_log


def build_start(*, project: Project, recipe: BuildRecipe, by: User) -> Round:
    """Begin to build or import a project's base. Raises: RoundRefused, RecipeError, NotAllowed."""
    manager_ensure(by=by, project=project)
    recipe.validate()
    if round_live(project=project) is not None:
        raise RoundRefused(_("This project has a round that has not ended. Finish or cancel it first."))
    fields = recipe.to_json() | _absolute(recipe)
    with database.atomic():
        last = Round.objects.filter(project=project).aggregate(number=Max("number"))["number"]
        round_ = Round.objects.create(
            project=project, number=0 if last is None else last + 1, state=RoundState.BUILDING, is_build=True,
            recipe=fields, seed=recipe.seed, launched_by=by, launched_at=timezone.now(),
        )  # fmt: skip
        transition_log(obj=round_, from_state="", to_state=round_.state, actor=by)
        dispatch("alignment.round_advance", round_id=round_.pk)
    return round_


def build_step(*, round: Round) -> None:
    """Take the next step of a build: the next run, or, after the last, the prompts and the deployment."""
    for purpose in build_stages(round):
        if purpose == "sft":
            _base(round)
        run = run_ensure(round=round, purpose=purpose)
        if run.state != RunState.SUCCEEDED:
            return
    policy = _policy(round)
    _prompts(round)
    deployment = _deployment(round, policy)
    if deployment.state == DeploymentState.FAILED:
        raise RoundRefused(_("The SFT policy could not be deployed: %(why)s") % {"why": deployment.error})
    deployment_finish(deployment_id=deployment.pk)


def _base(round_: Round) -> ModelVersion:
    """Publish, or register, what the SFT starts from."""
    if round_.recipe["kind"] == "import":
        return version_import(round=round_, path=round_.recipe["base"], kind=VersionKind.BASE)
    pretrain = round_.runs.get(purpose="pretrain")
    return version_publish(run=pretrain, artifact="base", kind=VersionKind.BASE, parent=None)


def _policy(round_: Round) -> ModelVersion:
    """Publish what the build made and return the SFT policy."""
    if build_stages(round_):
        sft = round_.runs.get(purpose="sft")
        policy = version_publish(run=sft, artifact="base", kind=VersionKind.SFT, parent=_base(round_))
    else:
        policy = version_import(round=round_, path=round_.recipe["base"], kind=VersionKind.SFT)
    if round_.policy_id != policy.pk:
        Round.objects.filter(pk=round_.pk).update(policy=policy)
    return policy


def _deployment(round_: Round, policy: ModelVersion) -> Deployment:
    """Return the deployment that the build began, or begin it; of two workers at once one begins and both go on."""
    begun = round_.deployments.order_by("-id")
    if deployment := begun.first():
        return deployment
    assert round_.launched_by is not None, "a build is started by somebody"
    try:
        return deployment_start(project=round_.project, version=policy, by=round_.launched_by, round=round_)
    except DeploymentRefused:
        if deployment := begun.first():
            return deployment
        raise


def _prompts(round_: Round) -> None:
    """Import the demo world's prompts, once."""
    if round_.recipe["kind"] != "demo" or Prompt.objects.filter(project=round_.project).exists():
        return
    assert round_.launched_by is not None, "a build is started by somebody"
    path = artifact_path(round_.runs.get(purpose="corpus"), "prompts.jsonl")
    with path.open("rb") as file:
        prompts_import(project=round_.project, file=file, filename=path.name, by=round_.launched_by)


def _absolute(recipe: BuildRecipe) -> dict[str, Any]:
    """Return the recipe's paths made absolute, for workers run in other folders. Raises: RoundRefused."""
    found: dict[str, Any] = {}
    for name in ("texts", "dialogues"):
        paths = [Path(path).resolve() for path in getattr(recipe, name)]
        for path in paths:
            if not path.is_file():
                raise RoundRefused(_("%(name)s: %(path)s does not exist.") % {"name": name, "path": path})
        found[name] = [str(path) for path in paths]
    if recipe.base and Path(recipe.base).exists():
        found["base"] = str(Path(recipe.base).resolve())
        folder_hashes(found["base"])
    return found
