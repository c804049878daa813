"""What the task page asks for on the side: keeping a draft, and fetching the next task while this one is worked on."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from feedback.domain.errors import Conflict, FeedbackError, Halted
from feedback.models import Project
from feedback.selectors.assignment import assignment_view
from feedback.selectors.draft import draft_of
from feedback.selectors.task import queue_count
from feedback.services.assignment import assignment_prefetch
from feedback.services.draft import draft_save
from feedback.views.access import Request, own_assignment_or_404, project_page, whole_number
from feedback.views.task_page import query_dict, task_context


@require_POST
@project_page("feedback.annotate_project")
def draft(request: Request, project: Project) -> HttpResponse:
    """Keep the fields of a task's form. 409 comes with the draft that is newer, or with none when the task is done."""
    form = request.POST
    assignment = own_assignment_or_404(request, project, form.get("assignment", ""))
    fields = {name: form.getlist(name) for name in form}
    version = whole_number(form.get("version", ""))
    try:
        saved = draft_save(
            assignment=assignment, annotator=request.user, fields=fields, version=-1 if version is None else version
        )
    except Conflict as error:
        newer = draft_of(assignment=assignment)
        stored = {"version": newer.version, "fields": newer.fields} if newer else {"version": None}
        return JsonResponse({"message": error.message, **stored}, status=409)
    except FeedbackError as error:
        return JsonResponse({"message": error.message}, status=422)
    return JsonResponse({"version": saved.version})


@require_POST
@project_page("feedback.annotate_project")
def prefetch(request: Request, project: Project) -> HttpResponse:
    """Answer with the task after the one in hand, as it will be shown; `Lease-S` says for how many seconds it waits."""
    try:
        assignment = assignment_prefetch(project=project, annotator=request.user)
    except Halted:
        return HttpResponse(status=204)  # nothing comes next; why is said when they have submitted what they hold
    except FeedbackError as error:
        return JsonResponse({"message": error.message}, status=409)
    if assignment is None:
        return HttpResponse(status=204)
    kept = draft_of(assignment=assignment)
    context = {
        "project": project,
        "queue": queue_count(project=project, annotator=request.user) - 1,  # the one in hand is done by then
        "error": "",
        **task_context(assignment_view(assignment=assignment), query_dict(kept.fields) if kept else None),
        "draft": kept,
    }
    response = render(request, "feedback/fragments/comparison.html", context)
    response["Lease-S"] = f"{(assignment.lease_expires_at - timezone.now()).total_seconds():.1f}"
    return response
