"""What a researcher takes home: figures, files, and how a program gets the same."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from feedback.formats.writing import jsonl_lines
from feedback.models import Project
from feedback.selectors.demonstration import demonstration_rows
from feedback.selectors.judgment import judgment_rows, project_counts
from feedback.selectors.preference import preference_rows
from feedback.selectors.quality import report_computed
from feedback.selectors.snapshot import snapshot_list
from feedback.views.access import Request, project_page
from feedback.views.rendering import page


@require_GET
@project_page("feedback.export_project")
def data(request: Request, project: Project) -> HttpResponse:
    context = {
        "project": project,
        "counts": project_counts(project=project),
        "snapshots": snapshot_list(project=project),
        "quality": report_computed(project=project),
        "api_root": request.build_absolute_uri("/api/v1/"),
        "tokens_url": reverse("account:tokens"),
    }
    return page(request, "feedback/data.html", context)


@require_GET
@project_page("feedback.export_project")
def preferences_file(_request: Request, project: Project) -> StreamingHttpResponse:
    return _jsonl(preference_rows(project=project), f"project-{project.pk}-preferences.jsonl")


@require_GET
@project_page("feedback.export_project")
def judgments_file(request: Request, project: Project) -> StreamingHttpResponse:
    """Download judgments as they were made; with `?known=1` also those that say something about the people."""
    return _jsonl(
        judgment_rows(project=project, known=request.GET.get("known") == "1"), f"project-{project.pk}-judgments.jsonl"
    )


@require_GET
@project_page("feedback.export_project")
def demonstrations_file(_request: Request, project: Project) -> StreamingHttpResponse:
    return _jsonl(demonstration_rows(project=project), f"project-{project.pk}-demonstrations.jsonl")


def _jsonl(rows: Iterator[dict[str, Any]], filename: str) -> StreamingHttpResponse:
    """Stream rows as they are read, so that a project of any size downloads in constant memory."""
    response = StreamingHttpResponse(jsonl_lines(rows), content_type="application/jsonl")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
