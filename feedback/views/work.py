"""My work: what one person judged in a project, each to be opened and corrected, and their hours by day."""

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from feedback.models import Project
from feedback.selectors.work import own_hours, own_judgments
from feedback.views.access import Request, project_page, whole_number
from feedback.views.rendering import page

PAGE = 50
"""Judgments on a page: an hour's work, and a page that is read in one go."""


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def work(request: Request, project: Project) -> HttpResponse:
    """Show own judgments, the newest first, and own days; `before` is the id of the last one on the page before."""
    before = whole_number(request.GET.get("before", ""))
    found = own_judgments(project=project, annotator=request.user, before=before, limit=PAGE + 1)
    days = own_hours(project=project, annotator=request.user)
    context = {
        "project": project,
        "judgments": found[:PAGE],
        "older": found[PAGE - 1].judgment.pk if len(found) > PAGE else None,
        "is_first": before is None,
        "days": days,
        "n_judgments": sum(day.n_judgments for day in days),
        "active_s": sum(day.active_s for day in days),
        "zone": request.user.time_zone,
    }
    with timezone.override(request.user.time_zone):
        return page(request, "feedback/work.html", context)
