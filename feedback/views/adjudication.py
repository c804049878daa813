"""Tasks on which people disagree: what waits, and one of them with everybody's judgment beside the form."""

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.errors import Conflict, FeedbackError
from feedback.domain.states import AdjudicationState
from feedback.models import Adjudication, Project
from feedback.selectors.adjudication import (
    adjudication_get,
    adjudication_list,
    adjudication_opinions,
    adjudication_view,
)
from feedback.selectors.prompt import prompt_excerpt
from feedback.services.adjudication import adjudication_decide
from feedback.views.access import Request, project_page, whole_number
from feedback.views.rendering import go, page, wants_fragment
from feedback.views.task_form import seconds_worked, verdict_from_form
from feedback.views.task_page import task_context, with_best_text

WAITING = 50
"""Shown at once, the longest waiting first; the others come as these are decided, or on the next page."""


@never_cache
@require_GET
@project_page("feedback.adjudicate_project")
def adjudications(request: Request, project: Project) -> HttpResponse:
    """List what waits for this person; `after` is the number of the last one on the page before."""
    after = whole_number(request.GET.get("after", "")) or 0
    found = list(adjudication_list(project=project, user=request.user).filter(pk__gt=after)[: WAITING + 1])
    context = {
        "project": project,
        "waiting": [
            {"adjudication": one, "excerpt": prompt_excerpt(prompt=one.task.prompt), "percent": 100 * one.agreement}
            for one in found[:WAITING]
        ],
        "after": found[WAITING - 1].pk if len(found) > WAITING else None,
        "is_first": not after,
    }
    return page(request, "feedback/adjudications.html", context)


@never_cache
@require_GET
@project_page("feedback.adjudicate_project")
def adjudication(request: Request, project: Project, adjudication_id: int) -> HttpResponse:
    """Show one task; what is decided leads back to what waits."""
    found = _found(project, adjudication_id)
    if found.state == AdjudicationState.DECIDED:
        messages.info(request, _("This task is decided."))
        return go(request, "feedback:adjudications", project.pk)
    return _page(request, found)


@require_POST
@project_page("feedback.adjudicate_project")
def decide(request: Request, project: Project, adjudication_id: int) -> HttpResponse:
    """Store a decision and bring the next task. What was entered comes back when it cannot be stored."""
    form, found = request.POST, _found(project, adjudication_id)
    view = adjudication_view(adjudication=found, user=request.user)
    if "start_edit" in form:  # the way without scripts to get the best answer's text into the field
        return _page(request, found, typed=with_best_text(form, view))
    try:
        adjudication_decide(
            adjudication=found,
            by=request.user,
            verdict=verdict_from_form(form, view),
            client_key=form.get("client_key", ""),
            rationale=form.get("rationale", "").replace("\r\n", "\n"),
            active_s=seconds_worked(form),
        )
    except FeedbackError as error:
        status = 409 if isinstance(error, Conflict) else 422
        return _page(request, found, typed=form, error=error.message, status=status)
    messages.success(request, _("Decided."))
    following = adjudication_list(project=project, user=request.user).first()
    if following is None:
        return go(request, "feedback:adjudications", project.pk)
    if not wants_fragment(request):
        return go(request, "feedback:adjudication", project.pk, following.pk)
    response = _page(request, _found(project, following.pk))
    response["HX-Push-Url"] = resolve_url("feedback:adjudication", project.pk, following.pk)
    return response


def _found(project: Project, adjudication_id: int) -> Adjudication:
    found = adjudication_get(project=project, adjudication_id=adjudication_id) if adjudication_id < 2**63 else None
    if found is None:
        raise Http404
    return found


def _page(
    request: Request, found: Adjudication, *, typed: QueryDict | None = None, error: str = "", status: int = 200
) -> HttpResponse:
    project = found.task.project
    opinions = adjudication_opinions(adjudication=found, user=request.user)
    context = {
        "project": project,
        "adjudication": found,
        "opinions": opinions,
        "rows": list(zip(*(opinion.answers for opinion in opinions), strict=True)),
        "percent": 100 * found.agreement,
        "decide_url": resolve_url("feedback:adjudication_decide", project.pk, found.pk),
        "error": error,
        **task_context(adjudication_view(adjudication=found, user=request.user), typed),
    }
    return page(
        request,
        "feedback/adjudication.html",
        context,
        fragment="feedback/fragments/comparison.html",
        status=status,
    )
