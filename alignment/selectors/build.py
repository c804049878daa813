"""The progress of building a project's base, from nothing to the first tasks: one row a stage."""

import dataclasses

from django.utils.translation import gettext

from alignment.domain.curves import Curve
from alignment.domain.states import DeploymentState, RoundState, RunState
from alignment.models import Round, Run
from alignment.selectors.round import round_build, sampling_progress
from alignment.selectors.run import TITLES, run_eta_s, run_events
from feedback.models import Project

STAGES_OF_KIND = {
    "demo": ("corpus", "tokenizer", "pretrain", "sft"),
    "texts": ("tokenizer", "pretrain", "sft"),
    "import": ("sft",),
}
"""The runs of a build in their order; an import without dialogues has none."""

_WAITING = "waiting"
_DEPLOYMENT_AS_RUN = {
    DeploymentState.LOADING: RunState.RUNNING,
    DeploymentState.LIVE: RunState.SUCCEEDED,
    DeploymentState.RETIRED: RunState.SUCCEEDED,
    DeploymentState.FAILED: RunState.FAILED,
}


@dataclasses.dataclass(frozen=True)
class StageProgress:
    """One bar of the progress page."""

    name: str
    title: str
    state: str
    """A RunState, or `waiting` when its turn has not come."""
    done: int = 0
    total: int = 0
    unit: str = ""
    eta_s: float | None = None
    curve: Curve = dataclasses.field(default_factory=list)
    """The loss, where the stage has one."""
    detail: str = ""
    """What it waits for or why it failed."""

    @property
    def share(self) -> float:
        return 1.0 if self.state == RunState.SUCCEEDED else min(1.0, self.done / max(1, self.total))


def build_stages(round: Round) -> tuple[str, ...]:
    """Return the purposes of a build round's runs in their order."""
    kind = round.recipe["kind"]
    if kind == "import" and not round.recipe["dialogues"]:
        return ()
    return STAGES_OF_KIND[kind]


def build_progress(*, project: Project) -> list[StageProgress]:
    """Return every stage from the corpus to the first sampled answers; empty when nothing was ever built."""
    round_ = round_build(project=project)
    if round_ is None:
        return []
    runs = {run.purpose: run for run in round_.runs.all()}
    stages = [_of_run(purpose, runs.get(purpose)) for purpose in build_stages(round_)]
    return [*stages, _of_deployment(round_), _of_sampling(round_)]


def build_is_done(*, project: Project) -> bool:
    """Whether the project has a base and its first answers, so that there is something to rank."""
    return all(stage.state == RunState.SUCCEEDED for stage in build_progress(project=project))


def _of_run(purpose: str, run: Run | None) -> StageProgress:
    title = str(TITLES[purpose])
    if run is None:
        return StageProgress(purpose, title, _WAITING)
    curves = run_events(run)
    return StageProgress(
        purpose, title, run.state, run.progress_done, run.progress_total, run.progress_unit, run_eta_s(run),
        next((curve for name, curve in curves.items() if "loss" in name), []), run.error,
    )  # fmt: skip


def _of_deployment(round_: Round) -> StageProgress:
    deployment = round_.deployments.order_by("-id").first()
    if deployment is None:
        return StageProgress("deploy", gettext("Deploying"), _WAITING)
    state = _DEPLOYMENT_AS_RUN[DeploymentState(deployment.state)]
    return StageProgress("deploy", gettext("Deploying"), state, detail=deployment.error)


def _of_sampling(round_: Round) -> StageProgress:
    title = gettext("Sampling answers")
    following = Round.objects.filter(project=round_.project, number=round_.number + 1).select_related("batch").first()
    if following is None:
        return StageProgress("sample", title, _WAITING)
    progress = sampling_progress(following)
    state = RunState.RUNNING if following.state == RoundState.SAMPLING else RunState.SUCCEEDED
    if following.state == RoundState.FAILED and following.launched_at is None:
        state = RunState.FAILED
    return StageProgress(
        "sample", title, state, progress.done if progress else 0, progress.total if progress else 0, "answers",
        detail=following.waiting_for or following.error,
    )  # fmt: skip
