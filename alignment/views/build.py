"""Watching a base being built: every member may, since everybody waits for it."""

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from alignment.domain.states import RunState
from alignment.selectors.build import build_progress
from feedback.models import Project
from feedback.views.access import Request, project_page
from feedback.views.rendering import polled

_ENDED_BADLY = {RunState.FAILED, RunState.CANCELLED}


@require_GET
@project_page("feedback.view_project")
def build(request: Request, project: Project) -> HttpResponse:
    """Show one row a stage, from the corpus to the first sampled answers."""
    stages = build_progress(project=project)
    is_ready = bool(stages) and all(stage.state == RunState.SUCCEEDED for stage in stages)
    is_broken = any(stage.state in _ENDED_BADLY for stage in stages)
    context = {
        "project": project,
        "stages": stages,
        "is_ready": is_ready,
        "is_broken": is_broken,
        "eta_s": sum(stage.eta_s or 0 for stage in stages),
    }
    return polled(
        request,
        "alignment/build.html",
        context,
        fragment="alignment/fragments/build.html",
        is_final=is_ready or is_broken or not stages,
    )
