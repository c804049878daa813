from django.core.exceptions import PermissionDenied
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, caller, project_for
from feedback.api.errors import ErrorSerializer
from feedback.domain.ranking import ranks_by_letter
from feedback.domain.scopes import Scope
from feedback.selectors.assignment import assignment_get
from feedback.services.judgment import judgment_submit


class JudgmentApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="JudgmentInput")
    class InputSerializer(serializers.Serializer):
        ranks = serializers.DictField(
            child=serializers.IntegerField(min_value=1, max_value=26),
            allow_empty=False,
            help_text='A rank for each letter, 1 is the best, equal ranks are ties: {"A": 2, "B": 1, "C": 1}.',
        )
        client_key = serializers.CharField(
            max_length=64,
            help_text="Chosen by you; the same key with the same ranks again stores nothing. A new key corrects.",
        )
        rationale = serializers.CharField(required=False, allow_blank=True, default="")
        flags = serializers.ListField(child=serializers.CharField(), required=False, default=list)
        active_s = serializers.FloatField(required=False, allow_null=True, default=None)

    @extend_schema_serializer(component_name="Judgment")
    class OutputSerializer(serializers.Serializer):
        judgment_id = serializers.IntegerField()
        counted = serializers.BooleanField(help_text="False: it came late, when the task had all judgments it wanted.")

    @extend_schema(
        operation_id="judge",
        summary="Submit a judgment of a task that you claimed",
        request=InputSerializer,
        responses={201: OutputSerializer, 200: OutputSerializer, 409: ErrorSerializer, **REFUSALS},
    )
    def post(self, request: Request, assignment_id: int) -> Response:
        assignment = assignment_get(assignment_id=assignment_id)
        if assignment is None:
            raise Http404
        project_for(request, assignment.task.project_id, "feedback.annotate_project")
        if assignment.annotator_id != caller(request).pk:
            raise PermissionDenied
        data = self.InputSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        values = dict(data.validated_data)
        ranks = ranks_by_letter(values.pop("ranks"), len(assignment.order))
        submitted = judgment_submit(assignment_id=assignment_id, annotator=caller(request), ranks=ranks, **values)
        output = {"judgment_id": submitted.judgment.pk, "counted": submitted.judgment.counted}
        return Response(self.OutputSerializer(output).data, status=201 if submitted.created else 200)
