"""Rounds: launching one, watching it, and deciding what becomes of its policy."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from alignment.domain.errors import AlignmentError
from alignment.domain.figures import figure_groups, trajectory, win_rate_rows
from alignment.domain.gate import gate_judge
from alignment.domain.recipe import Recipe
from alignment.domain.states import RoundState
from alignment.models import Evaluation, ModelVersion, Round
from alignment.selectors.deployment import deployment_list, deployment_live
from alignment.selectors.round import RoundDetail, round_detail, round_get, round_list, round_live
from alignment.selectors.run import run_events, run_get
from alignment.selectors.sample import sample_pairs
from alignment.selectors.version import version_get
from alignment.services.deployment import deployment_rollback
from alignment.services.round import round_cancel, round_deploy, round_launch, round_reject
from alignment.views.launch_form import LaunchForm
from feedback.domain.errors import FeedbackError
from feedback.models import Project
from feedback.selectors.batch import batch_progress
from feedback.views.access import Request, project_page
from feedback.views.rendering import go, page, polled

CURVES_ON_ROUND_PAGE = ("reward", "kl_nats", "loss", "accuracy", "rewards/accuracies", "entropy", "value_loss")
"""What tells at a glance whether a training goes well; a run's own page has every curve."""
STEPS = (
    RoundState.SAMPLING, RoundState.LABELING, RoundState.SNAPSHOT, RoundState.REWARD, RoundState.POLICY,
    RoundState.EVALUATION, RoundState.GATE,
)  # fmt: skip
WATCH = ("feedback.manage_project", "feedback.export_project")


@require_GET
@project_page(*WATCH)
def rounds(request: Request, project: Project) -> HttpResponse:
    """List the rounds, newest first, with the form that launches the live one."""
    return _rounds(request, project, LaunchForm())


@require_POST
@project_page("feedback.manage_project")
def launch(request: Request, project: Project) -> HttpResponse:
    """Launch the round whose answers are being ranked."""
    form = LaunchForm(request.POST)
    if form.is_valid():
        try:
            round_ = round_launch(project=project, recipe=form.recipe(), by=request.user)
        except (AlignmentError, FeedbackError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Round %(number)d is launched.") % {"number": round_.number})
            return go(request, "alignment:round", project.pk, round_.number)
    return _rounds(request, project, form)


@require_GET
@project_page(*WATCH)
def round_page(request: Request, project: Project, number: int) -> HttpResponse:
    """Show one round as it goes."""
    detail = round_detail(_round(project, number))
    is_waiting_for_people = detail.can_decide
    return polled(
        request,
        "alignment/round.html",
        _round_context(project, detail),
        fragment="alignment/fragments/round.html",
        is_final=detail.is_final or is_waiting_for_people,
    )


@require_POST
@project_page("feedback.manage_project")
def deploy(request: Request, project: Project, number: int) -> HttpResponse:
    return _decide(request, project, number, round_deploy, _("The policy is being deployed."))


@require_POST
@project_page("feedback.manage_project")
def reject(request: Request, project: Project, number: int) -> HttpResponse:
    return _decide(request, project, number, round_reject, _("The policy is rejected."))


@require_POST
@project_page("feedback.manage_project")
def cancel(request: Request, project: Project, number: int) -> HttpResponse:
    return _decide(request, project, number, round_cancel, _("The round is cancelled. Its rankings stay."))


@require_POST
@project_page("feedback.manage_project")
def rollback(request: Request, project: Project) -> HttpResponse:
    """Point back to a version that was live before."""
    number = request.POST.get("version", "")
    try:
        version = version_get(project=project, version_id=int(number) if number.isdecimal() else 0)
    except ModelVersion.DoesNotExist as error:
        raise Http404 from error
    try:
        deployment_rollback(project=project, version=version, by=request.user, reason=request.POST.get("reason", ""))
    except AlignmentError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(name)s is being deployed again.") % {"name": version.name})
    return go(request, "alignment:rounds", project.pk)


def _decide(request: Request, project: Project, number: int, service: Any, done: str) -> HttpResponse:
    reason = request.POST.get("reason", "").strip()
    try:
        service(round=_round(project, number), by=request.user, reason=reason)
    except (AlignmentError, FeedbackError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return go(request, "alignment:round", project.pk, number)


def _rounds(request: Request, project: Project, form: LaunchForm) -> HttpResponse:
    live = round_live(project=project)
    context = {
        "project": project,
        "form": form,
        "rounds": round_list(project=project),
        "live": live,
        "can_launch": live is not None and live.state == RoundState.LABELING,
        "progress": batch_progress(batch=live.batch) if live is not None and live.batch else None,
        "deployment": deployment_live(project=project),
        "deployments": deployment_list(project=project),
    }
    is_refused = form.is_bound and bool(form.errors)
    fragment = "alignment/fragments/launch.html" if is_refused else ""
    return page(request, "alignment/rounds.html", context, fragment=fragment, status=422 if is_refused else 200)


def _round_context(project: Project, detail: RoundDetail) -> dict[str, Any]:
    round_ = detail.round
    steps = () if round_.is_build else STEPS
    metrics = detail.evaluation.metrics if detail.evaluation else {}
    current = steps.index(detail.state) if detail.state in steps else len(steps)
    return {
        "project": project,
        "detail": detail,
        "round": round_,
        "steps": [
            {"label": state.label, "is_done": index < current, "is_current": index == current}
            for index, state in enumerate(steps)
        ],
        "runs": [(run, _curves(project, run.id)) for run in detail.runs],
        "evaluation": detail.evaluation,
        "gate_reasons": _gate_reasons(round_, detail.evaluation) if detail.evaluation else (),
        "figure_groups": figure_groups(metrics),
        "win_rates": win_rate_rows(metrics),
        "trajectory": trajectory(metrics),
        "pairs": sample_pairs(detail.evaluation) if detail.evaluation else [],
        "progress": batch_progress(batch=round_.batch) if round_.batch else None,
        "poll_s": 10 if detail.can_launch else 2,
    }


def _gate_reasons(round_: Round, evaluation: Evaluation) -> tuple[str, ...]:
    """Return what was found against the policy, in the reader's language; it was written down in English."""
    return gate_judge(evaluation.metrics, Recipe.from_json(round_.recipe).gate).reasons if evaluation.reasons else ()


def _curves(project: Project, run_id: int) -> list[tuple[str, Any]]:
    curves = run_events(run_get(project=project, run_id=run_id))
    return [(name, curves[name]) for name in CURVES_ON_ROUND_PAGE if len(curves.get(name, ())) > 1]


def _round(project: Project, number: int) -> Round:
    try:
        return round_get(project=project, number=number)
    except Round.DoesNotExist as error:
        raise Http404 from error
