"""Opening a closed batch again. It stands here and not with the batches, since only rounds know whether it may be."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from alignment.services.reopening import batch_reopen_asked
from feedback.domain.errors import FeedbackError
from feedback.models import Project
from feedback.selectors.progress import batch_get
from feedback.services.task import check_reason
from feedback.views.access import Request, project_page
from feedback.views.rendering import go


@require_POST
@project_page("feedback.manage_project")
def reopen(request: Request, project: Project, number: int) -> HttpResponse:
    """Open a closed batch again, with a reason that is kept."""
    batch = batch_get(project=project, number=number)
    if batch is None:
        raise Http404
    try:
        batch_reopen_asked(batch=batch, by=request.user, reason=check_reason(request.POST.get("reason", "")))
    except FeedbackError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Batch %(number)d is open again.") % {"number": number})
    return go(request, "feedback:project", project.pk)
