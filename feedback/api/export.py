from collections.abc import Iterable

from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from feedback.api.base import REFUSALS, ApiView, project_for
from feedback.domain.errors import Invalid
from feedback.domain.scopes import Scope
from feedback.formats.writing import csv_lines, jsonl_lines
from feedback.selectors.demonstration import demonstration_rows
from feedback.selectors.judgment import judgment_rows
from feedback.selectors.preference import COLUMNS, preference_rows

_JSONL = "application/x-ndjson"
_CSV = "text/csv; charset=utf-8"
_AS = OpenApiParameter(
    "as", str, enum=["jsonl", "csv"], description="Texts verbatim, or made harmless for spreadsheets."
)
_KNOWN = OpenApiParameter(
    "known", int, enum=[0, 1], description="1: also of gold, training and qualification tasks, and of repeats."
)


class PreferencesApi(ApiView):
    required_scope = Scope.EXPORT

    @extend_schema(
        operation_id="preferences_download",
        summary="Download judged pairs in trl's preference format",
        parameters=[_AS],
        responses={(200, _JSONL): OpenApiTypes.STR, (200, "text/csv"): OpenApiTypes.STR, **REFUSALS},
    )
    def get(self, request: Request, project_id: int) -> StreamingHttpResponse:
        project = project_for(request, project_id, "feedback.export_project")
        rows = preference_rows(project=project)
        kind = request.query_params.get("as", "jsonl")
        if kind == "jsonl":
            return _download(jsonl_lines(rows), _JSONL, f"project-{project.pk}-preferences.jsonl")
        if kind == "csv":
            return _download(csv_lines(rows, COLUMNS), _CSV, f"project-{project.pk}-preferences.csv")
        raise Invalid(_("as must be jsonl or csv."))


class JudgmentsApi(ApiView):
    required_scope = Scope.EXPORT

    @extend_schema(
        operation_id="judgments_download",
        summary="Download every judgment as it was made",
        parameters=[_KNOWN],
        responses={(200, _JSONL): OpenApiTypes.STR, **REFUSALS},
    )
    def get(self, request: Request, project_id: int) -> StreamingHttpResponse:
        project = project_for(request, project_id, "feedback.export_project")
        known = request.query_params.get("known", "0")
        if known not in {"0", "1"}:
            raise Invalid(_("known must be 0 or 1."))
        rows = judgment_rows(project=project, known=known == "1")
        return _download(jsonl_lines(rows), _JSONL, f"project-{project.pk}-judgments.jsonl")


class DemonstrationsApi(ApiView):
    required_scope = Scope.EXPORT

    @extend_schema(
        operation_id="demonstrations_download",
        summary="Download improved and written answers for fine-tuning",
        responses={(200, _JSONL): OpenApiTypes.STR, **REFUSALS},
    )
    def get(self, request: Request, project_id: int) -> StreamingHttpResponse:
        project = project_for(request, project_id, "feedback.export_project")
        rows = demonstration_rows(project=project)
        return _download(jsonl_lines(rows), _JSONL, f"project-{project.pk}-demonstrations.jsonl")


def _download(lines: Iterable[str], content_type: str, filename: str) -> StreamingHttpResponse:
    disposition = f'attachment; filename="{filename}"'
    return StreamingHttpResponse(lines, content_type=content_type, headers={"Content-Disposition": disposition})
