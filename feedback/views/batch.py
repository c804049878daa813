"""Closing a batch, and taking back what was forgotten; what opens a closed one again asks the rounds first."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from feedback.domain.errors import FeedbackError
from feedback.models import Project
from feedback.selectors.progress import batch_get
from feedback.services.assignment import assignments_expire
from feedback.services.batch import batch_close
from feedback.services.task import check_reason
from feedback.views.access import Request, project_page
from feedback.views.rendering import go


@require_POST
@project_page("feedback.manage_project")
def close(request: Request, project: Project, number: int) -> HttpResponse:
    """Close an open batch, with a reason that is kept."""
    batch = batch_get(project=project, number=number)
    if batch is None:
        raise Http404
    try:
        batch_close(batch=batch, by=request.user, reason=check_reason(request.POST.get("reason", "")))
    except FeedbackError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Batch %(number)d is closed.") % {"number": number})
    return go(request, "feedback:project", project.pk)


@require_POST
@project_page("feedback.manage_project")
def expire(request: Request, project: Project) -> HttpResponse:
    """Take back the tasks whose leases ran out, now and not at the next periodic look."""
    n = assignments_expire(project=project)
    messages.success(request, ngettext("%(n)d lease was ended.", "%(n)d leases were ended.", n) % {"n": n})
    return go(request, "feedback:project", project.pk)
