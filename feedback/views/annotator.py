"""One annotator, for a project's admins: standing, a day's limit, blocks, and bursts that wait for a decision."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.errors import FeedbackError
from feedback.domain.states import LEGAL, BatchState, HoldState, IllegalTransition, Role, Standing
from feedback.models import Hold, Membership, Project
from feedback.selectors.annotator import (
    annotator_counts,
    annotator_membership,
    block_list,
    exclusion_progress,
    hold_get,
    hold_judgments,
    hold_list,
    snapshots_with,
    standing_history,
)
from feedback.selectors.batch import batch_list
from feedback.selectors.prompt import prompt_excerpt
from feedback.services.annotator import annotator_cap, annotator_pause
from feedback.services.block import MAX_TASKS, block_dissolve, block_give
from feedback.services.burst import hold_clear, hold_confirm
from feedback.services.exclusion import annotator_exclude, annotator_restore
from feedback.views.access import Request, project_page, whole_number
from feedback.views.rendering import go, page, wants_fragment

HISTORY = 20
"""Changes shown; older ones stand in the site's table of transitions."""
HOLDS = 5
"""Bursts shown, the newest first: each has at most eight judgments."""
MOVES = {
    Standing.WORKING: gettext_lazy("Let them work"),
    Standing.LEARNING: gettext_lazy("Let them learn again"),
    Standing.PAUSED: gettext_lazy("Pause"),
    Standing.EXCLUDED: gettext_lazy("Exclude"),
}
"""What an admin may ask for, where the table of standings allows it."""

_LABELS = {choice.value: choice.label for choices in (Standing, Role) for choice in choices}
"""Of what a membership can go through."""


@require_GET
@project_page("feedback.manage_project")
def annotator(request: Request, project: Project, user_id: int) -> HttpResponse:
    """Show a person; with `?datasets=1` also the snapshots with their judgments, which takes a look at each."""
    return _page(request, _membership(project, user_id))


@require_POST
@project_page("feedback.manage_project")
def standing(request: Request, project: Project, user_id: int) -> HttpResponse:
    """Pause, exclude, or let somebody go on, with a reason that they can read."""
    membership = _membership(project, user_id)
    asked = request.POST.get("to", "")
    if asked not in MOVES:
        raise Http404
    to, reason = Standing(asked), request.POST.get("reason", "")

    def move() -> str:
        if to == Standing.PAUSED:
            annotator_pause(membership=membership, by=request.user, reason=reason)
        elif to == Standing.EXCLUDED:
            annotator_exclude(membership=membership, by=request.user, reason=reason)
        else:
            annotator_restore(membership=membership, to=to, by=request.user, reason=reason)
        return _("%(name)s: %(standing)s.") % {"name": membership.user.username, "standing": to.label}

    return _act(request, membership, move)


@require_POST
@project_page("feedback.manage_project")
def cap(request: Request, project: Project, user_id: int) -> HttpResponse:
    """Set how much this person may judge in a day; empty is as much as the project says."""
    membership = _membership(project, user_id)
    asked = request.POST.get("daily_cap", "").strip()

    def limit() -> str:
        annotator_cap(membership=membership, by=request.user, daily_cap=(whole_number(asked) or 0) if asked else None)
        return _("Saved.")

    return _act(request, membership, limit)


@require_POST
@project_page("feedback.manage_project")
def block(request: Request, project: Project, user_id: int) -> HttpResponse:
    """Let the next tasks of an open batch wait for this person."""
    membership, form = _membership(project, user_id), request.POST
    batch = batch_list(project=project).filter(number=whole_number(form.get("batch", "")) or 0).first()
    if batch is None:
        raise Http404

    def give() -> str:
        n = block_give(
            membership=membership,
            batch=batch,
            n=whole_number(form.get("n", "")) or 0,
            tag=form.get("tag", "").strip(),
            by=request.user,
        )
        return ngettext("%(n)d task waits for them.", "%(n)d tasks wait for them.", n) % {"n": n}

    return _act(request, membership, give)


@require_POST
@project_page("feedback.manage_project")
def dissolve(request: Request, project: Project, user_id: int) -> HttpResponse:
    """Give the tasks that wait for this person in a batch back to everybody."""
    membership = _membership(project, user_id)
    batch = batch_list(project=project).filter(number=whole_number(request.POST.get("batch", "")) or 0).first()
    if batch is None:
        raise Http404

    def give_back() -> str:
        n = block_dissolve(project=project, user=membership.user, by=request.user, batch=batch)
        return ngettext("%(n)d task is everybody's again.", "%(n)d tasks are everybody's again.", n) % {"n": n}

    return _act(request, membership, give_back)


@require_POST
@project_page("feedback.manage_project")
def hold(request: Request, project: Project, user_id: int, hold_id: int) -> HttpResponse:
    """Decide about a burst: it counts after all, or it does not."""
    membership = _membership(project, user_id)
    found = hold_get(membership=membership, hold_id=hold_id)
    decision = request.POST.get("decision")
    if found is None or decision not in {HoldState.CLEARED, HoldState.CONFIRMED}:
        raise Http404

    def decide() -> str:
        if decision == HoldState.CLEARED:
            hold_clear(hold=found, by=request.user)
            return _("The judgments count, and the person may go on.")
        hold_confirm(hold=found, by=request.user)
        return _("The judgments do not count, and their tasks go to others.")

    return _act(request, membership, decide)


def _membership(project: Project, user_id: int) -> Membership:
    membership = annotator_membership(project=project, user=user_id) if user_id < 2**63 else None
    if membership is None:
        raise Http404
    return membership


def _act(request: Request, membership: Membership, do: Callable[[], str]) -> HttpResponse:
    """Do something and show the person as they stand now, with what was refused."""
    error = ""
    try:
        messages.success(request, do())
    except FeedbackError as refused:
        error = refused.message
    except IllegalTransition:
        error = _("Somebody else has changed this meanwhile; here is how it stands.")
    membership.refresh_from_db(fields=["standing", "standing_reason", "daily_cap"])
    if error or wants_fragment(request):
        return _page(request, membership, error=error)
    return go(request, "feedback:annotator", membership.project_id, membership.user_id)


def _page(request: Request, membership: Membership, *, error: str = "") -> HttpResponse:
    now = Standing(membership.standing)
    progress = exclusion_progress(membership=membership)
    context = {
        "project": membership.project,
        "membership": membership,
        "person": membership.user,
        "error": error,
        "reason": request.POST.get("reason", "") if error else "",
        "moves": [(to.value, label) for to, label in MOVES.items() if to in LEGAL[now]],
        "counts": annotator_counts(membership=membership),
        "progress": progress,
        "is_polling": bool(progress.n_left),
        "history": [
            {"moved": moved, "before": _label(moved.from_state), "after": _label(moved.to_state)}
            for moved in standing_history(membership=membership)[:HISTORY]
        ],
        "holds": [_hold(found) for found in hold_list(membership=membership)[:HOLDS]],
        "blocks": block_list(membership=membership),
        "open_batches": batch_list(project=membership.project).filter(state=BatchState.OPEN),
        "max_tasks": MAX_TASKS,
        "shows_datasets": "datasets" in request.GET,
        "snapshots": snapshots_with(membership=membership) if "datasets" in request.GET else [],
    }
    return page(
        request,
        "feedback/annotator.html",
        context,
        fragment="feedback/fragments/annotator.html",
        status=422 if error else 200,
    )


def _label(state: str) -> str:
    return str(_LABELS.get(state, state))


def _hold(found: Hold) -> dict[str, Any]:
    judgments = hold_judgments(hold=found)
    seconds = [held.seconds for held in judgments]
    return {
        "hold": found,
        "fastest": min(seconds, default=0),
        "slowest": max(seconds, default=0),
        "is_waiting": found.state == HoldState.REVIEWING,
        "judgments": [
            {"excerpt": prompt_excerpt(prompt=held.judgment.task.prompt), "seconds": held.seconds, "of": held.judgment}
            for held in judgments
        ],
    }
