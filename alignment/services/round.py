"""What people do with a round: launch it, deploy it, reject it, cancel it."""

from django.db import transaction as database
from django.utils.translation import gettext as _

from alignment.domain.errors import RoundRefused
from alignment.domain.recipe import Recipe
from alignment.domain.states import FINAL_ROUND_STATES, DeploymentState, RoundState
from alignment.models import Deployment, Round
from alignment.selectors.deployment import deployment_live, deployment_loading, version_base
from alignment.selectors.round import round_live
from alignment.services.checking import previous_check, prompts_check
from alignment.services.deployment import deployment_start
from alignment.services.ending import round_end
from alignment.services.freezing import round_freeze
from alignment.services.permission import manager_ensure
from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.domain.states import IllegalTransition
from feedback.models import Project, User


def round_launch(*, project: Project, recipe: Recipe, by: User) -> Round:
    """Launch the project's live round with a recipe. Nothing has changed when it is refused.

    Raises: RoundRefused, RecipeError, NotAllowed.
    """
    manager_ensure(by=by, project=project)
    recipe.validate()
    round_ = round_live(project=project)
    if round_ is None:
        raise RoundRefused(_("Only a round in labeling can be launched; this project has none."))
    if round_.state != RoundState.LABELING:
        raise RoundRefused(
            _("Only a round in labeling can be launched; this project has round %(number)d: %(state)s.")
            % {"number": round_.number, "state": round_.get_state_display()}
        )
    if deployment_loading(project=project) is not None:
        raise RoundRefused(_("A version is being deployed. Launch when it is live."))
    live = deployment_live(project=project)
    if live is None:
        raise RoundRefused(_("This project has no deployed policy yet."))
    previous_check(recipe=recipe, previous=live.version)
    prompts_check(recipe=recipe, project=project, base=version_base(live.version))
    with database.atomic():
        round_freeze(round=round_, recipe=recipe, previous=live.version, by=by)
        dispatch("alignment.round_advance", round_id=round_.pk)
    return round_


def round_deploy(*, round: Round, by: User, reason: str = "") -> Deployment:
    """Deploy a round's policy. Against the gate it needs a written reason, which is kept.

    Raises: RoundRefused, DeploymentRefused, NotAllowed.
    """
    manager_ensure(by=by, project=round.project)
    _at_gate(round)
    reason = reason.strip()
    against_gate = not round.evaluation.passed
    if against_gate and not reason:
        raise RoundRefused(_("The gate did not pass: write down why this policy shall be deployed all the same."))
    assert round.policy is not None, "a round at the gate has a policy"
    return deployment_start(
        project=round.project, version=round.policy, by=by, round=round, reason=reason, against_gate=against_gate
    )


def round_reject(*, round: Round, by: User, reason: str = "") -> None:
    """Leave a round's policy undeployed; the next round asks the live policy. Raises: RoundRefused, NotAllowed."""
    manager_ensure(by=by, project=round.project)
    _at_gate(round)
    _end(round, RoundState.REJECTED, by, reason)


def round_cancel(*, round: Round, by: User, reason: str = "") -> None:
    """Stop a round and all that works for it; its rankings count in the next. Raises: RoundRefused, NotAllowed."""
    manager_ensure(by=by, project=round.project)
    if round.state in FINAL_ROUND_STATES:
        raise RoundRefused(_("This round has already ended."))
    _end(round, RoundState.CANCELLED, by, reason or f"cancelled by {by}")


def _at_gate(round_: Round) -> None:
    if round_.state != RoundState.GATE:
        raise RoundRefused(
            _("Round %(number)d is not waiting for a decision: %(state)s.")
            % {"number": round_.number, "state": round_.get_state_display()}
        )
    if round_.deployments.filter(state=DeploymentState.LOADING).exists():
        raise RoundRefused(_("This round's policy is being deployed. Wait until it is live, or cancel the round."))


def _end(round_: Round, to: RoundState, by: User, reason: str) -> None:
    try:
        round_end(round=round_, to=to, by=by, reason=reason.strip())
    except (IllegalTransition, Conflict) as error:
        raise RoundRefused(_("This round has changed meanwhile. Look again.")) from error
