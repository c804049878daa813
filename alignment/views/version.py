"""A model version and everything behind it, back to the people and the pretraining text."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from alignment.models import ModelVersion
from alignment.selectors.version import version_get, version_lineage
from alignment.views.round import WATCH
from feedback.models import Project
from feedback.views.access import Request, project_page
from feedback.views.rendering import page


@require_GET
@project_page(*WATCH)
def version(request: Request, project: Project, version_id: int) -> HttpResponse:
    try:
        found = version_get(project=project, version_id=version_id)
    except ModelVersion.DoesNotExist as error:
        raise Http404 from error
    steps = list(version_lineage(found).walk())
    return page(request, "alignment/version.html", {"project": project, "version": found, "steps": steps})
