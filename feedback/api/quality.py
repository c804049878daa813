from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, project_for, shown
from feedback.domain.quality_tables import TABLES
from feedback.domain.scopes import Scope
from feedback.selectors.person import pseudonyms
from feedback.selectors.quality import report_computed, report_figures


class QualityApi(ApiView):
    required_scope = Scope.EXPORT

    @extend_schema_serializer(component_name="Quality")
    class OutputSerializer(serializers.Serializer):
        report = serializers.IntegerField(allow_null=True, help_text="Its id; null before the first one.")
        computed_at = serializers.DateTimeField(allow_null=True)
        last_judgment = serializers.IntegerField(help_text="The newest judgment that is in it.")
        tables = serializers.DictField(
            child=serializers.ListField(child=serializers.DictField()),
            help_text=f"Rows of {', '.join(TABLES)}; each figure with its interval, its rows and its method.",
        )

    @extend_schema(
        operation_id="quality",
        summary="Figures about the labels and the people behind them",
        responses={200: OutputSerializer, **REFUSALS},
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, "feedback.export_project")
        report = report_computed(project=project)
        found: dict[str, Any] = {
            "report": None, "computed_at": None, "last_judgment": 0, "tables": {name: [] for name in TABLES},
        }  # fmt: skip
        if report is not None:
            figures, names = report_figures(report), pseudonyms(project=project)
            found = {
                "report": report.pk,
                "computed_at": report.computed_at,
                "last_judgment": report.last_judgment_id,
                "tables": {name: list(table.rows(figures, names)) for name, table in TABLES.items()},
            }
        return Response(shown(self.OutputSerializer, found))
