"""Deployments: the pointer to the policy that answers.

Deploying is: load, check that it answers, flip the pointer in one transaction. Rolling back is the same with an older
version.
"""

import structlog
from django.db import IntegrityError
from django.db import transaction as database
from django.utils import timezone
from django.utils.translation import gettext as _

from alignment.domain.errors import DeploymentRefused, EndpointDown, EndpointRefused
from alignment.domain.states import DeploymentState, RoundState, VersionKind
from alignment.models import Deployment, ModelVersion, Round
from alignment.policies.reconcile import policies_reconcile, policy_ready
from alignment.selectors.deployment import deployment_live
from alignment.services.opening import round_open_next
from alignment.services.permission import manager_ensure
from feedback.dispatch import dispatch
from feedback.domain.errors import Conflict
from feedback.domain.states import IllegalTransition
from feedback.models import Project, User
from feedback.services.transition import transition, transition_log

log = structlog.get_logger(__name__)

_POLICIES = {VersionKind.SFT, VersionKind.POLICY}


def deployment_start(
    *,
    project: Project,
    version: ModelVersion,
    by: User,
    round: Round | None = None,
    reason: str = "",
    against_gate: bool = False,
) -> Deployment:
    """Begin to deploy a version; it goes live when it was loaded and has answered. Raises: DeploymentRefused."""
    if version.kind not in _POLICIES or version.project_id != project.pk:
        raise DeploymentRefused(_("%(version)s is not a policy of this project.") % {"version": version})
    try:
        with database.atomic():
            deployment = Deployment.objects.create(
                project=project, version=version, round=round, deployed_by=by, reason=reason, against_gate=against_gate
            )
            transition_log(obj=deployment, from_state="", to_state=deployment.state, actor=by, reason=reason)
            dispatch("alignment.deployment_reconcile")
    except IntegrityError as error:
        raise DeploymentRefused(
            _("Another version of this project is being deployed. Wait until it is live.")
        ) from error
    return deployment


def deployment_rollback(*, project: Project, version: ModelVersion, by: User, reason: str) -> Deployment:
    """Point back to a version that was live before. Raises: DeploymentRefused, NotAllowed."""
    manager_ensure(by=by, project=project)
    live = deployment_live(project=project)
    if live is not None and live.version_id == version.pk:
        raise DeploymentRefused(_("%(version)s is live already.") % {"version": version})
    if not version.deployments.filter(project=project, live_at__isnull=False).exists():
        raise DeploymentRefused(_("%(version)s was never live: deploy it from its round.") % {"version": version})
    if not reason.strip():
        raise DeploymentRefused(_("Write down why you roll back."))
    return deployment_start(project=project, version=version, by=by, reason=reason.strip())


def deployment_finish(*, deployment_id: int) -> None:
    """Take a loading deployment live if its endpoint is up and answers; else leave the reason in its `error`."""
    deployment = Deployment.objects.select_related("version__parent", "round__project", "project").get(pk=deployment_id)
    if deployment.state != DeploymentState.LOADING:
        return
    try:
        policy_ready(deployment.version)
    except EndpointDown as error:
        Deployment.objects.filter(pk=deployment.pk).update(error=str(error))
        return
    except EndpointRefused as error:
        log.warning("deployment_refused", deployment_id=deployment.pk, error=str(error))
        transition(obj=deployment, to=DeploymentState.FAILED, reason=str(error), error=str(error))
        return
    try:
        _flip(deployment)
    except (IllegalTransition, Conflict):
        log.info("deployment_moved_meanwhile", deployment_id=deployment.pk)


def deployment_reconcile() -> None:
    """Finish what is loading, then make what is loaded match the database."""
    for deployment_id in Deployment.objects.filter(state=DeploymentState.LOADING).values_list("pk", flat=True):
        deployment_finish(deployment_id=deployment_id)
    policies_reconcile()


def _flip(deployment: Deployment) -> None:
    """Retire the old, point to the new, end its round and open the next: all or nothing."""
    with database.atomic():
        old = deployment_live(project=deployment.project)
        if old is not None:
            transition(obj=old, to=DeploymentState.RETIRED)
        transition(
            obj=deployment, to=DeploymentState.LIVE, actor=deployment.deployed_by, reason=deployment.reason,
            previous=old, live_at=timezone.now(), error="",
        )  # fmt: skip
        if deployment.round is not None:
            transition(
                obj=deployment.round, to=RoundState.DEPLOYED, actor=deployment.deployed_by, reason=deployment.reason,
                finished_at=timezone.now(), waiting_for="",
            )  # fmt: skip
            round_open_next(after=deployment.round)
    log.info("deployment_live", project_id=deployment.project_id, version=deployment.version.name)
