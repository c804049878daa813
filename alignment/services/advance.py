"""The round's state machine: one idempotent call moves a round as far as it can go now.

Jobs call it at the end of every run, after every decision, and periodically, so that no lost message stops a round.
Two workers may call it at once: states change conditionally, runs are unique by purpose, files are published whole.
"""

from collections.abc import Callable

import structlog
from django.db import transaction as database
from django.utils.translation import gettext_noop

from alignment.domain.errors import AlignmentError
from alignment.domain.gate import gate_judge
from alignment.domain.recipe import Recipe
from alignment.domain.states import FINAL_ROUND_STATES, RoundState, RunState, VersionKind
from alignment.models import Evaluation, Round, Run
from alignment.selectors.deployment import deployment_loading
from alignment.services.build import build_step
from alignment.services.deployment import deployment_finish
from alignment.services.ending import round_end
from alignment.services.ensure import run_ensure
from alignment.services.opening import batch_plan
from alignment.services.pinning import figures_ready, round_pin
from alignment.services.sampling import batch_sample_send
from alignment.services.specs import build_recipe, round_base
from alignment.services.version import version_publish
from feedback.domain.errors import Conflict, FeedbackError
from feedback.domain.states import BatchState, IllegalTransition
from feedback.services.transition import transition

log = structlog.get_logger(__name__)

_ALL_THE_SAME = gettext_noop(
    "The answers to each prompt are all the same, so that there is nothing to compare. "
    "Add other prompts or deploy another version, then cancel this round: the next one samples anew."
)


def round_advance(*, round_id: int) -> None:
    """Move a round through every step that is ready. Does nothing when none is."""
    while True:
        round_ = Round.objects.select_related("project", "batch", "snapshot", "launched_by", "previous__parent").get(
            pk=round_id
        )
        step = _STEPS.get(RoundState(round_.state))
        if step is None or not _take(step, round_):
            return


def rounds_advance_all() -> None:
    """Look after every round that has not ended; one that cannot move does not keep the others back."""
    for round_id in Round.objects.exclude(state__in=FINAL_ROUND_STATES).values_list("pk", flat=True):
        try:
            round_advance(round_id=round_id)
        except Exception:
            log.exception("round_advance_failed", round_id=round_id, note="the next periodic look tries again")


def _take(step: Callable[[Round], bool], round_: Round) -> bool:
    try:
        if _ended_with_a_run(round_):
            return False
        return step(round_)
    except (IllegalTransition, Conflict):
        log.info("round_moved_meanwhile", round_id=round_.pk, state=round_.state)
        return False
    except (AlignmentError, FeedbackError) as error:
        _end(round_, RoundState.FAILED, str(error))
        return False


def _ended_with_a_run(round_: Round) -> bool:
    """End a round one of whose runs failed or was cancelled."""
    for run in round_.runs.filter(state__in=[RunState.FAILED, RunState.CANCELLED]):
        if run.state == RunState.FAILED:
            _end(round_, RoundState.FAILED, f"The {run.purpose} run failed: {run.error}")
        else:
            _end(round_, RoundState.CANCELLED, f"The {run.purpose} run was cancelled.")
        return True
    return False


def _end(round_: Round, to: RoundState, reason: str) -> None:
    try:
        round_end(round=round_, to=to, reason=reason)
    except (IllegalTransition, Conflict):
        log.info("round_moved_meanwhile", round_id=round_.pk, state=round_.state)


# ---- One function a state: True when the round moved ----------------------------------------------------------------


def _building(round_: Round) -> bool:
    build_step(round=round_)
    return False


def _sampling(round_: Round) -> bool:
    if round_.batch is None:
        before = Round.objects.filter(project=round_.project, number=round_.number - 1).first()
        return batch_plan(round=round_, after=before)
    if round_.batch.state == BatchState.SAMPLING:
        batch_sample_send(round=round_)
        return False
    if round_.batch.state == BatchState.FAILED:
        # No end of the round: the next one would ask the same policies and fail the same way, again and again.
        Round.objects.filter(pk=round_.pk, state=round_.state).update(waiting_for=_ALL_THE_SAME)
        return False
    transition(obj=round_, to=RoundState.LABELING, waiting_for="")
    return True


def _snapshot(round_: Round) -> bool:
    if round_.snapshot is None and not figures_ready(round=round_):
        return False
    round_pin(round=round_)
    return True


def _reward(round_: Round) -> bool:
    purposes = ["reward"] if build_recipe(round_.project).gold else ["reward", "judge"]
    runs = [run_ensure(round=round_, purpose=purpose) for purpose in purposes]
    if not _all_succeeded(runs):
        return False
    base = round_base(round_)
    for run, kind in zip(runs, (VersionKind.REWARD, VersionKind.JUDGE), strict=False):
        version_publish(run=run, artifact="reward", kind=kind, parent=base)
    transition(obj=round_, to=RoundState.POLICY)
    return True


def _policy(round_: Round) -> bool:
    run = run_ensure(round=round_, purpose="policy")
    if not _all_succeeded([run]):
        return False
    policy = version_publish(run=run, artifact="adapter", kind=VersionKind.POLICY, parent=round_base(round_))
    transition(obj=round_, to=RoundState.EVALUATION, policy=policy)
    return True


def _evaluation(round_: Round) -> bool:
    run = run_ensure(round=round_, purpose="evaluate")
    if not _all_succeeded([run]):
        return False
    assert round_.policy is not None, "the policy is published before its evaluation"
    verdict = gate_judge(run.metrics, Recipe.from_json(round_.recipe).gate)
    with database.atomic():
        Evaluation.objects.get_or_create(
            round=round_,
            defaults={
                "run": run, "policy": round_.policy, "previous": round_.previous,
                "judge": run.spec["gold"] or run.spec["judge"].rsplit("/", 1)[-1], "metrics": run.metrics,
                "passed": verdict.passed, "reasons": list(verdict.reasons),
            },
        )  # fmt: skip
        transition(obj=round_, to=RoundState.GATE, reason="passed" if verdict.passed else " ".join(verdict.reasons))
    return True


def _gate(round_: Round) -> bool:
    loading = deployment_loading(project=round_.project)
    if loading is not None and loading.round_id == round_.pk:
        deployment_finish(deployment_id=loading.pk)
    return False


def _all_succeeded(runs: list[Run]) -> bool:
    return all(run.state == RunState.SUCCEEDED for run in runs)


_STEPS: dict[RoundState, Callable[[Round], bool]] = {
    RoundState.BUILDING: _building,
    RoundState.SAMPLING: _sampling,
    RoundState.SNAPSHOT: _snapshot,
    RoundState.REWARD: _reward,
    RoundState.POLICY: _policy,
    RoundState.EVALUATION: _evaluation,
    RoundState.GATE: _gate,
}
"""Labeling is missing: people move a round on from there. Of the gate, only a deployment that was begun is finished."""
