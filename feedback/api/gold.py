from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, caller, project_for, shown
from feedback.api.errors import ErrorSerializer
from feedback.api.prompt import FORM_BYTES, JsonAsFile, file_of
from feedback.domain.scopes import Scope
from feedback.domain.states import KNOWN
from feedback.formats.gold import MAX_EXPLANATION_LENGTH
from feedback.formats.reading import MAX_BYTES
from feedback.services.gold import golds_import


class GoldApi(ApiView):
    required_scope = Scope.PROMPTS
    max_body_bytes = MAX_BYTES + FORM_BYTES
    parser_classes = (JsonAsFile, MultiPartParser)

    @extend_schema_serializer(component_name="KnownAnswer", many=True)
    class InputSerializer(serializers.Serializer):
        """Only describes the rows; the same reader as for files reads them."""

        prompt = serializers.CharField(help_text="Or a list of messages that ends with the user's turn.")
        answers = serializers.ListField(child=serializers.CharField(), min_length=2, max_length=9)
        ranks = serializers.ListField(
            child=serializers.IntegerField(allow_null=True), help_text="Of the answers: 1 is the best, equal ones tie."
        )
        tolerance = serializers.FloatField(
            required=False, min_value=0, max_value=1, help_text="Share of pairs that may be wrong."
        )
        explanation = serializers.CharField(
            required=False, max_length=MAX_EXPLANATION_LENGTH, help_text="Markdown, shown after a training task."
        )
        purpose = serializers.ChoiceField(choices=[(purpose.value, purpose.label) for purpose in KNOWN], required=False)

    @extend_schema_serializer(component_name="KnownAnswerFile")
    class FileSerializer(serializers.Serializer):
        file = serializers.FileField(help_text=".jsonl or .json")

    @extend_schema_serializer(component_name="KnownAnswerImport")
    class OutputSerializer(serializers.Serializer):
        n_added = serializers.IntegerField()
        n_known = serializers.IntegerField(help_text="Known answers that the project had already.")

    @extend_schema(
        operation_id="known_answers_add",
        summary="Add tasks with a known answer: a JSON list of them, or a file",
        request={"application/json": InputSerializer(many=True), "multipart/form-data": FileSerializer},
        responses={201: OutputSerializer, 413: ErrorSerializer, **REFUSALS},
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, "feedback.manage_project")
        file, name = file_of(request)
        with file:
            imported = golds_import(project=project, file=file, filename=name, by=caller(request))
        output = {"n_added": imported.n_added, "n_known": imported.n_known}
        return Response(shown(self.OutputSerializer, output), status=201)
