"""One training run: how far, every curve, what it printed, and its end by hand."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from alignment.domain.errors import AlignmentError
from alignment.domain.figures import figure_groups, reward_figures, trajectory, win_rate_rows
from alignment.models import Run
from alignment.selectors.run import run_events, run_get, run_log_tail, run_messages, run_view
from alignment.services.run import run_cancel
from alignment.views.round import WATCH
from feedback.models import Project
from feedback.views.access import Request, project_page
from feedback.views.rendering import go, polled

LOG_LINES = 60
"""About three screens: the end of a traceback and what led to it."""
MESSAGES = 8


@require_GET
@project_page(*WATCH)
def run_page(request: Request, project: Project, number: int, run_id: int) -> HttpResponse:
    """Show one run as it goes."""
    run = _run(project, number, run_id)
    view = run_view(run)
    context = {
        "project": project,
        "round": run.round,
        "run": view,
        "spec": run.spec,
        "scalars": {name: value for name, value in view.metrics.items() if not isinstance(value, list | dict)},
        "figure_groups": figure_groups(view.metrics) if run.stage == "evaluate" else [],
        "win_rates": win_rate_rows(view.metrics),
        "trajectory": trajectory(view.metrics),
        "reward_figures": reward_figures(view.metrics),
        "curves": [(name, curve) for name, curve in run_events(run).items() if len(curve) > 1],
        "told": run_messages(run)[-MESSAGES:],
        "log": run_log_tail(run, LOG_LINES),
    }
    return polled(
        request, "alignment/run.html", context, fragment="alignment/fragments/run.html", is_final=view.is_final
    )


@require_POST
@project_page("feedback.manage_project")
def cancel(request: Request, project: Project, number: int, run_id: int) -> HttpResponse:
    run = _run(project, number, run_id)
    try:
        run_cancel(run=run, by=request.user)
    except AlignmentError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The run is told to stop; it writes a checkpoint first."))
    return go(request, "alignment:run", project.pk, number, run_id)


def _run(project: Project, number: int, run_id: int) -> Run:
    try:
        run = run_get(project=project, run_id=run_id)
    except Run.DoesNotExist as error:
        raise Http404 from error
    if run.round.number != number:
        raise Http404
    return run
