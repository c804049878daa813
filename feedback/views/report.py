"""What annotators reported about tasks, for whoever runs the project."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from feedback.models import Project
from feedback.selectors.person import pseudonyms
from feedback.selectors.prompt import prompt_excerpt
from feedback.selectors.report import report_get, report_list
from feedback.services.report import report_resolve
from feedback.views.access import Request, project_page, whole_number
from feedback.views.rendering import go, page, wants_fragment

REPORTS_A_PAGE = 25
"""A few screens of short texts; the longest has 2,000 characters."""


@require_GET
@project_page("feedback.manage_project")
def reports(request: Request, project: Project) -> HttpResponse:
    """List what nobody has looked at, or with `?done=1` what is done."""
    return _page(request, project, is_done=request.GET.get("done") == "1")


@require_POST
@project_page("feedback.manage_project")
def resolve(request: Request, project: Project, report_id: int) -> HttpResponse:
    """Mark a report as done, and show the page of open ones on which it stood."""
    report = report_get(project=project, report_id=report_id)
    if report is None:
        raise Http404
    report_resolve(report=report, by=request.user)
    messages.success(request, _("The report is marked as done."))
    if wants_fragment(request):
        return _page(request, project, is_done=False)
    number = whole_number(request.GET.get("page", "")) or 1
    return go(request, f"{resolve_url('feedback:reports', project.pk)}?page={number}")


def _page(request: Request, project: Project, *, is_done: bool) -> HttpResponse:
    found = Paginator(report_list(project=project, is_done=is_done), REPORTS_A_PAGE)
    shown = found.get_page(request.GET.get("page"))
    names = pseudonyms(project=project)
    context = {
        "project": project,
        "is_done": is_done,
        "n_reports": found.count,
        "reports": [
            {
                "report": report,
                "excerpt": prompt_excerpt(prompt=report.task.prompt),
                "pseudonym": names.get(report.annotator_id, ""),
            }
            for report in shown.object_list
        ],
        "page_obj": shown,
    }
    return page(request, "feedback/reports.html", context, fragment="feedback/fragments/reports.html")
