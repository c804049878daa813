"""Which version answers for a project, which versions the policy servers must hold, and where models lie."""

import dataclasses
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from alignment.domain.states import DeploymentState, VersionKind
from alignment.models import Deployment, ModelVersion
from feedback.domain.states import BatchState
from feedback.models import Batch, Project
from feedback.selectors.conversation import live_source_ids


@dataclasses.dataclass(frozen=True)
class Served:
    """A base that must be up, and the adapters that must be loaded on it."""

    base: ModelVersion
    adapters: tuple[ModelVersion, ...]


def deployment_live(*, project: Project) -> Deployment | None:
    """Return the deployment whose version answers now."""
    return _deployments(project).filter(state=DeploymentState.LIVE).first()


def deployment_loading(*, project: Project) -> Deployment | None:
    """Return the deployment that is on its way."""
    return _deployments(project).filter(state=DeploymentState.LOADING).order_by("-id").first()


def deployment_list(*, project: Project) -> list[Deployment]:
    """Return the history of the project's pointer, newest first."""
    return list(_deployments(project).order_by("-id"))


def version_base(version: ModelVersion) -> ModelVersion:
    """Return the frozen base that a version is served on: an SFT policy is its own."""
    if version.kind == VersionKind.SFT:
        return version
    assert version.parent is not None, f"{version} has no base"
    return version.parent


def version_path(version: ModelVersion) -> str:
    """Return a version's absolute folder, or the hub id of a base that was brought along."""
    inside: Path = settings.ARTIFACTS_ROOT / version.path
    return str(inside) if inside.exists() else version.path


def served_wanted() -> list[Served]:
    """Return what the policy servers must hold for live and loading deployments, batches in work and live chats."""
    wanted = ModelVersion.objects.filter(
        pk__in={
            *Deployment.objects.filter(state__in=[DeploymentState.LIVE, DeploymentState.LOADING]).values_list(
                "version", flat=True
            ),
            *_versions_of_batches(),
            *ModelVersion.objects.filter(source__in=live_source_ids()).values_list("pk", flat=True),
        }
    ).select_related("parent")
    adapters: dict[int, list[ModelVersion]] = {}
    bases: dict[int, ModelVersion] = {}
    for version in wanted.order_by("id"):
        base = version_base(version)
        bases[base.pk] = base
        adapters.setdefault(base.pk, [])
        if version.pk != base.pk:
            adapters[base.pk].append(version)
    return [Served(base, tuple(adapters[pk])) for pk, base in bases.items()]


def _versions_of_batches() -> set[int]:
    plans = Batch.objects.filter(state__in=[BatchState.SAMPLING, BatchState.OPEN]).values_list("plan", flat=True)
    sources = {entry["source"] for plan in plans for entry in plan}
    return set(ModelVersion.objects.filter(source__in=sources).values_list("pk", flat=True))


def _deployments(project: Project) -> QuerySet[Deployment]:
    return Deployment.objects.filter(project=project).select_related("version__parent", "round", "previous__version")
