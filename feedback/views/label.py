"""Judging: one task on the screen, and the next one in the answer to a submit."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.errors import FeedbackError, Halted
from feedback.domain.protocol import ProtocolKind, SkipReason
from feedback.domain.states import LEARNED_FROM, TaskPurpose
from feedback.models import Assignment, Project
from feedback.selectors.annotator import annotator_halt, annotator_membership
from feedback.selectors.assignment import assignment_get, assignment_live, assignment_view, assignments_held
from feedback.selectors.draft import draft_of
from feedback.selectors.learning import explained_of, learning_of
from feedback.selectors.person import opted_out_tags
from feedback.selectors.project import protocol_current
from feedback.selectors.task import queue_count
from feedback.selectors.work import own_judgments
from feedback.services.assignment import assignment_claim, assignment_release, assignment_show
from feedback.services.judgment import judgment_submit
from feedback.services.person import tags_opt_out
from feedback.services.report import report_add
from feedback.views.access import Request, own_assignment_or_404, project_page, whole_number
from feedback.views.rendering import go, page, wants_fragment
from feedback.views.task_form import seconds_worked, verdict_from_form
from feedback.views.task_page import judged_fields, query_dict, task_context, with_best_text


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def label(request: Request, project: Project) -> HttpResponse:
    """Show the task that this person holds, or a button to get one. Never claims: a prefetched page costs nobody."""
    if protocol_current(project=project).kind == ProtocolKind.LIVE:
        return go(request, "feedback:live", project.pk)
    return _comparison(request, project, assignment_live(project=project, annotator=request.user))


@require_POST
@project_page("feedback.annotate_project")
def claim(request: Request, project: Project) -> HttpResponse:
    return _next(request, project)


@require_POST
@project_page("feedback.annotate_project")
def submit(request: Request, project: Project) -> HttpResponse:
    """Store a judgment and bring the next task. What was typed comes back when it cannot be stored."""
    form = request.POST
    assignment = own_assignment_or_404(request, project, form.get("assignment", ""))
    view = assignment_view(assignment=assignment)
    if "start_edit" in form:  # the way without scripts to get the best answer's text into the field
        return _comparison(request, project, assignment, typed=with_best_text(form, view))
    try:
        done = judgment_submit(
            assignment_id=assignment.pk,
            annotator=request.user,
            verdict=verdict_from_form(form, view),
            client_key=form.get("client_key", ""),
            rationale=form.get("rationale", "").replace("\r\n", "\n"),
            active_s=seconds_worked(form),
        )
    except FeedbackError as error:
        return _comparison(request, project, assignment, typed=form, error=error.message)
    if not done.judgment.counted and done.judgment.hold is None:
        messages.warning(
            request,
            _("Your time for that task had run out, and somebody else has it. Your judgment is kept, but not counted."),
        )
    if form.get("correction"):
        messages.success(request, _("The judgment is changed."))
        # The outbox leads back to the task by itself, once it has heard that the change is stored.
        return HttpResponse(status=204) if form.get("outbox") else go(request, "feedback:label", project.pk)
    return _go_on(request, project, assignment)


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def explained(request: Request, project: Project, lesson_id: int) -> HttpResponse:
    """Show again what a judged training task taught; a lesson has the number of its assignment."""
    return _explained(request, project, own_assignment_or_404(request, project, str(lesson_id)))


@require_POST
@project_page("feedback.annotate_project")
def skip(request: Request, project: Project) -> HttpResponse:
    """Give the task back with a reason, and bring the next one."""
    form = request.POST
    assignment = own_assignment_or_404(request, project, request.POST.get("assignment", ""))
    if form.get("skip_reason") not in SkipReason.values:
        return _comparison(request, project, assignment, typed=form, error=_("Say why you skip the task."))
    try:
        assignment_release(
            assignment=assignment,
            annotator=request.user,
            reason=SkipReason(form["skip_reason"]),
            note=form.get("skip_note", ""),
            active_s=seconds_worked(form),
        )
    except FeedbackError as error:
        messages.warning(request, error.message)
    return _next(request, project)


@require_POST
@project_page("feedback.annotate_project")
def report(request: Request, project: Project) -> HttpResponse:
    """Tell whoever runs the project what is wrong with this task; the task stays in hand."""
    assignment = own_assignment_or_404(request, project, request.POST.get("assignment", ""))
    error = ""
    try:
        report_add(assignment=assignment, annotator=request.user, text=request.POST.get("report", ""))
    except FeedbackError as refused:
        error = refused.message
    else:
        messages.success(request, _("Thank you. Whoever runs the project can see it now. Go on, or skip the task."))
    if not wants_fragment(request):
        typed = request.POST.copy()
        if not error:
            typed["report"] = ""
        return _comparison(request, project, assignment, typed=typed, error=error)
    context = {
        "project": project,
        "report_error": error,
        "report_text": request.POST.get("report", "") if error else "",
        "is_answer": True,
    }
    return render(request, "feedback/fragments/task_report.html", context, status=422 if error else 200)


@require_POST
@project_page("feedback.annotate_project")
def opt_out(request: Request, project: Project) -> HttpResponse:
    """Never show this person prompts with these tags again, and give back the ones that they hold."""
    assignment = own_assignment_or_404(request, project, request.POST.get("assignment", ""))
    tags = [tag for tag in request.POST.getlist("tag") if tag in assignment.task.prompt.tags]
    try:
        known = opted_out_tags(project=project, user=request.user)
        tags_opt_out(project=project, user=request.user, tags=[*known, *tags])
        for held in assignments_held(project=project, annotator=request.user):  # the prefetched one may have them too
            if set(tags) & set(held.task.prompt.tags):
                assignment_release(assignment=held, annotator=request.user, reason=SkipReason.UPSETTING)
    except FeedbackError as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, _("You will get no more tasks like that one."))
    return _next(request, project)


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def correct(request: Request, project: Project, assignment_id: int) -> HttpResponse:
    """Show what was judged again, so that it can be changed while its batch is open."""
    assignment = own_assignment_or_404(request, project, str(assignment_id))
    judgment = assignment.judgments.order_by("-id").first()
    if judgment is None:
        return go(request, "feedback:label", project.pk)
    if assignment.task.purpose in LEARNED_FROM:
        messages.info(request, _("Training and qualification tasks cannot be changed once they are submitted."))
        return go(request, "feedback:explained", project.pk, assignment.pk)
    return _comparison(request, project, assignment, typed=query_dict(judged_fields(judgment)))


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def last(request: Request, project: Project) -> HttpResponseBase:
    """Undo: show this person's newest judgment in the project again."""
    own = own_judgments(project=project, annotator=request.user, before=None, limit=1)
    if own:
        return correct(request, project.pk, own[0].judgment.assignment_id)
    messages.info(request, _("There is nothing to undo yet."))
    return label(request, project.pk)


def _go_on(request: Request, project: Project, assignment: Assignment) -> HttpResponse:
    """Bring what a judged task taught, or else the next task, where the page does not show it already."""
    if assignment.task.purpose == TaskPurpose.TRAINING:
        if wants_fragment(request):
            return _explained(request, project, assignment)
        return go(request, "feedback:explained", project.pk, assignment.pk)  # a reload must not submit again
    if _start(request, project, request.POST.get("shown", "")):
        return render(request, "partial.html")
    return _next(request, project)


def _start(request: Request, project: Project, shown: str) -> bool:
    """Start the time of a prefetched task that the page put on the screen by itself; False when there is none."""
    number = whole_number(shown)
    assignment = assignment_get(assignment_id=number) if number else None
    live = assignment_live(project=project, annotator=request.user)
    if assignment is None or live is None or live.pk != assignment.pk:
        return False
    assignment_show(assignment=live)
    return True


def _explained(request: Request, project: Project, assignment: Assignment) -> HttpResponse:
    """Show the known order of a judged training task beside the person's own, and why it is so."""
    taught = explained_of(assignment=assignment)
    if taught is None:
        return go(request, "feedback:label", project.pk)
    context = {
        "project": project,
        "explained": taught,
        "learning": learning_of(project=project, annotator=request.user),
    }
    return page(request, "feedback/label.html", context, fragment="feedback/fragments/comparison.html")


def _next(request: Request, project: Project) -> HttpResponse:
    """Claim the next task: htmx gets it at once, a browser without scripts is sent to the page."""
    try:
        assignment = assignment_claim(project=project, annotator=request.user)
    except Halted:
        assignment = None  # the page says why
    except FeedbackError as error:
        messages.error(request, error.message)
        assignment = None
    if not wants_fragment(request):
        return go(request, "feedback:label", project.pk)
    return _comparison(request, project, assignment)


def _comparison(
    request: Request,
    project: Project,
    assignment: Assignment | None,
    *,
    typed: QueryDict | None = None,
    error: str = "",
) -> HttpResponse:
    context: dict[str, Any] = {
        "project": project,
        "queue": queue_count(project=project, annotator=request.user),
        "learning": learning_of(project=project, annotator=request.user),
        "error": error,
    }
    if assignment is not None:
        context |= _task(assignment, typed)
    else:
        membership = annotator_membership(project=project, user=request.user)
        context["kind"] = protocol_current(project=project).kind
        context["halt"] = membership and annotator_halt(membership=membership)
    return page(
        request,
        "feedback/label.html",
        context,
        fragment="feedback/fragments/comparison.html",
        status=422 if error else 200,
    )


def _task(assignment: Assignment, typed: QueryDict | None) -> dict[str, Any]:
    """Show a task with what was typed, or else with its draft."""
    draft = draft_of(assignment=assignment)
    if typed is None:
        assignment_show(assignment=assignment)
        typed = query_dict(draft.fields) if draft else None
    return {**task_context(assignment_view(assignment=assignment), typed), "draft": draft}
