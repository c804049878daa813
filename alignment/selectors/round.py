"""Rounds as people watch them, and what may be done with one now."""

import dataclasses

from django.db.models import QuerySet

from alignment.domain.sampling import n_answers_wanted
from alignment.domain.states import FINAL_ROUND_STATES, DeploymentState, RoundState
from alignment.models import Deployment, Evaluation, Round
from alignment.selectors.run import RunView, run_list, run_view
from feedback.domain.states import BatchState
from feedback.models import Project, Response


@dataclasses.dataclass(frozen=True)
class SamplingProgress:
    """How many of a batch's answers are stored."""

    done: int
    total: int

    @property
    def share(self) -> float:
        return min(1.0, self.done / max(1, self.total))


@dataclasses.dataclass(frozen=True)
class RoundDetail:
    """A round with everything that its page and the API show."""

    round: Round
    runs: list[RunView]
    evaluation: Evaluation | None
    deployment: Deployment | None
    """The newest attempt to deploy this round's policy; its `error` says why it waits or failed."""
    sampling: SamplingProgress | None

    @property
    def state(self) -> RoundState:
        return RoundState(self.round.state)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_ROUND_STATES

    @property
    def is_stuck(self) -> bool:
        """Whether nothing that runs by itself will move the round on; `waiting_for` says what a person can do."""
        has_answers_to_come = self.round.batch is not None and self.round.batch.state != BatchState.FAILED
        return self.state == RoundState.SAMPLING and bool(self.round.waiting_for) and not has_answers_to_come

    @property
    def is_deploying(self) -> bool:
        return self.deployment is not None and self.deployment.state == DeploymentState.LOADING

    @property
    def can_launch(self) -> bool:
        return self.state == RoundState.LABELING

    @property
    def can_decide(self) -> bool:
        return self.state == RoundState.GATE and not self.is_deploying

    @property
    def needs_reason(self) -> bool:
        """Whether deploying goes against the gate."""
        return self.evaluation is not None and not self.evaluation.passed

    @property
    def can_cancel(self) -> bool:
        return not self.is_final


def round_live(*, project: Project) -> Round | None:
    """Return the project's one round that has not ended."""
    return _rounds(project).exclude(state__in=FINAL_ROUND_STATES).first()


def round_list(*, project: Project) -> list[Round]:
    """Return the project's rounds, newest first."""
    return list(_rounds(project).order_by("-number"))


def round_get(*, project: Project, number: int) -> Round:
    """Return a round by its number. Raises: Round.DoesNotExist."""
    return _rounds(project).get(number=number)


def round_build(*, project: Project) -> Round | None:
    """Return the newest round that built or imported the project's base."""
    return _rounds(project).filter(is_build=True).order_by("-number").first()


def round_detail(round: Round) -> RoundDetail:
    """Collect what there is to know about a round now."""
    return RoundDetail(
        round=round,
        runs=[run_view(run) for run in run_list(round=round)],
        evaluation=Evaluation.objects.filter(round=round).select_related("policy", "previous").first(),
        deployment=round.deployments.order_by("-id").first(),
        sampling=sampling_progress(round),
    )


def sampling_progress(round: Round) -> SamplingProgress | None:
    """Count the answers of a round's batch, or None when it has no batch that is sampled."""
    if round.batch is None or not round.batch.plan:
        return None
    plan = [(entry["source"], entry["n"]) for entry in round.batch.plan]
    return SamplingProgress(
        done=Response.objects.filter(batch=round.batch).count(),
        total=n_answers_wanted(plan, round.batch.prompts.count()),
    )


def _rounds(project: Project) -> QuerySet[Round]:
    return Round.objects.filter(project=project).select_related("project", "batch", "snapshot", "policy", "launched_by")


def round_numbers(*, snapshot_id: int) -> list[int]:
    """Return the numbers of the rounds that pinned a snapshot."""
    return list(Round.objects.filter(snapshot=snapshot_id).order_by("number").values_list("number", flat=True))
