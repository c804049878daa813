"""Ranking: one task on the screen, and the next one in the answer to a submit."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.errors import FeedbackError, RankError
from feedback.models import Assignment, Project
from feedback.selectors.assignment import AssignmentView, assignment_get, assignment_live, assignment_view
from feedback.selectors.task import queue_count
from feedback.services.assignment import assignment_claim, assignment_release, assignment_show
from feedback.services.judgment import judgment_submit
from feedback.views.access import Request, project_page
from feedback.views.rendering import go, page, wants_fragment

Shown = dict[str, Any]


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def label(request: Request, project: Project) -> HttpResponse:
    """Show the task that this person holds, or a button to get one. Never claims: a prefetched page costs nobody."""
    return _comparison(request, project, assignment_live(project=project, annotator=request.user))


@require_POST
@project_page("feedback.annotate_project")
def claim(request: Request, project: Project) -> HttpResponse:
    return _next(request, project)


@require_POST
@project_page("feedback.annotate_project")
def submit(request: Request, project: Project) -> HttpResponse:
    """Store a ranking and bring the next task. What was typed comes back when it cannot be stored."""
    form = request.POST
    assignment = _own_assignment(request, project, form.get("assignment", ""))
    view = assignment_view(assignment=assignment)
    letters = [answer.letter for answer in view.answers]
    try:
        done = judgment_submit(
            assignment_id=assignment.pk,
            annotator=request.user,
            ranks=_ranks(form, letters),
            client_key=form.get("client_key", ""),
            rationale=form.get("rationale", ""),
            flags=form.getlist("flags"),
            active_s=_seconds(form.get("active_s", "")),
        )
    except FeedbackError as error:
        return _comparison(request, project, assignment, typed=form, error=error.message)
    if not done.judgment.counted:
        messages.warning(
            request,
            _("Your time for that task had run out, and somebody else has it. Your ranking is kept, but not counted."),
        )
    if form.get("correction"):
        messages.success(request, _("The ranking is changed."))
        return go(request, "feedback:label", project.pk)
    return _next(request, project, last=assignment)


@require_POST
@project_page("feedback.annotate_project")
def skip(request: Request, project: Project) -> HttpResponse:
    assignment = _own_assignment(request, project, request.POST.get("assignment", ""))
    try:
        assignment_release(assignment=assignment, annotator=request.user, reason="skip")
    except FeedbackError as error:
        messages.warning(request, error.message)
    return _next(request, project)


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def correct(request: Request, project: Project, assignment_id: int) -> HttpResponse:
    """Show a submitted ranking again, so that it can be changed while its batch is open."""
    assignment = _own_assignment(request, project, str(assignment_id))
    judgment = assignment.judgments.order_by("-id").first()
    if judgment is None:
        return go(request, "feedback:label", project.pk)
    dense = sorted(set(judgment.ranks))
    by_letter = {
        answer.letter: dense.index(judgment.ranks[item]) + 1
        for answer, item in zip(assignment_view(assignment=assignment).answers, assignment.order, strict=True)
    }
    typed = QueryDict(mutable=True)
    typed.update({f"rank_{letter}": str(rank) for letter, rank in by_letter.items()})
    typed.update({"correction": "1", "rationale": judgment.rationale})
    typed.setlist("flags", judgment.flags)
    return _comparison(request, project, assignment, typed=typed)


def _next(request: Request, project: Project, last: Assignment | None = None) -> HttpResponse:
    """Claim the next task: htmx gets it at once, a browser without scripts is sent to the page."""
    try:
        assignment = assignment_claim(project=project, annotator=request.user)
    except FeedbackError as error:
        messages.error(request, error.message)
        assignment = None
    request.session["last_assignment"] = [project.pk, last.pk] if last else None
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
    context: Shown = {
        "project": project,
        "queue": queue_count(project=project, annotator=request.user),
        "error": error,
        "last_assignment_id": _last_assignment_id(request, project),
    }
    if assignment is not None:
        context |= _task(assignment, typed or QueryDict(), is_shown_again=typed is not None)
    return page(
        request,
        "feedback/label.html",
        context,
        fragment="feedback/fragments/comparison.html",
        status=422 if error else 200,
    )


def _task(assignment: Assignment, typed: QueryDict, *, is_shown_again: bool) -> Shown:
    if not is_shown_again:
        assignment_show(assignment=assignment)
    view: AssignmentView = assignment_view(assignment=assignment)
    return {
        "view": view,
        "answers": [
            {"letter": answer.letter, "text": answer.text, "rank": _whole(typed.get(f"rank_{answer.letter}"))}
            for answer in view.answers
        ],
        "numbers": range(1, len(view.answers) + 1),
        "client_key": typed.get("client_key") or view.client_key,
        "rationale": typed.get("rationale", ""),
        "flags": typed.getlist("flags"),
        "is_correction": bool(typed.get("correction")),
    }


def _own_assignment(request: Request, project: Project, assignment_id: str) -> Assignment:
    number = _whole(assignment_id)
    assignment = assignment_get(assignment_id=number) if number else None
    if assignment is None or assignment.annotator_id != request.user.pk or assignment.task.project_id != project.pk:
        raise Http404
    return assignment


def _last_assignment_id(request: Request, project: Project) -> int | None:
    stored = request.session.get("last_assignment")
    return stored[1] if stored and stored[0] == project.pk else None


def _ranks(form: QueryDict, letters: list[str]) -> list[int]:
    """Raises: RankError."""
    ranks = [_whole(form.get(f"rank_{letter}")) for letter in letters]
    missing = [letter for letter, rank in zip(letters, ranks, strict=True) if rank is None]
    if missing:
        raise RankError(
            _("Give every answer a rank. Still without one: %(letters)s.") % {"letters": ", ".join(missing)}
        )
    return [rank for rank in ranks if rank is not None]


def _whole(text: str | None) -> int | None:
    return (
        int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None
    )  # 64 bits hold 18 digits


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 86_400 else None
