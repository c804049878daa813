from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, assignment_for, caller, checked, project_for, shown
from feedback.api.errors import ErrorSerializer
from feedback.api.verdict import VerdictSerializer, letters_of_verdict, verdict_by_letter
from feedback.domain.protocol import ProtocolKind
from feedback.domain.scopes import Scope
from feedback.selectors.judgment import judgment_verdict
from feedback.selectors.work import OwnJudgment, own_judgments
from feedback.services.judgment import assignment_judge

PAGE = 50
"""Judgments listed at once."""


class JudgmentApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="JudgmentInput")
    class InputSerializer(VerdictSerializer):
        client_key = serializers.CharField(
            max_length=64,
            help_text="Chosen by you; the same key with the same judgment again stores nothing. A new key corrects.",
        )
        rationale = serializers.CharField(required=False, allow_blank=True, default="")
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
        assignment = assignment_for(request, assignment_id)
        values = checked(self.InputSerializer, request.data)
        submitted = assignment_judge(
            assignment=assignment,
            annotator=caller(request),
            verdict=verdict_by_letter(values, len(assignment.order)),
            client_key=values["client_key"],
            rationale=values["rationale"],
            active_s=values["active_s"],
        )
        output = {"judgment_id": submitted.judgment.pk, "counted": submitted.judgment.counted}
        return Response(shown(self.OutputSerializer, output), status=201 if submitted.created else 200)


class WorkApi(ApiView):
    required_scope = Scope.ANNOTATE

    class InputSerializer(serializers.Serializer):
        before = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1, default=None)

    @extend_schema_serializer(component_name="OwnJudgment")
    class OutputSerializer(serializers.Serializer):
        judgment_id = serializers.IntegerField()
        assignment_id = serializers.IntegerField()
        kind = serializers.ChoiceField(choices=ProtocolKind.choices)
        protocol = serializers.IntegerField(help_text="Version of the guidelines.")
        excerpt = serializers.CharField(help_text="The beginning of the prompt's last turn.")
        when = serializers.DateTimeField()
        counted = serializers.BooleanField()
        may_correct = serializers.BooleanField(help_text="Its batch is open.")
        verdict = VerdictSerializer()
        rationale = serializers.CharField(allow_blank=True)

    @extend_schema(
        operation_id="work",
        summary=f"Your own judgments, the newest first, {PAGE} at once",
        parameters=[
            OpenApiParameter("before", int, description="The `judgment_id` of the last one that you have read.")
        ],
        responses={200: OutputSerializer(many=True), **REFUSALS},
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, "feedback.annotate_project")
        values = checked(self.InputSerializer, request.query_params)
        work = own_judgments(project=project, annotator=caller(request), before=values["before"], limit=PAGE)
        return Response([shown(self.OutputSerializer, _row(one)) for one in work])


def _row(work: OwnJudgment) -> dict[str, object]:
    judgment = work.judgment
    return {
        "judgment_id": judgment.pk,
        "assignment_id": judgment.assignment_id,
        "kind": judgment.protocol.kind,
        "protocol": judgment.protocol.number,
        "excerpt": work.excerpt,
        "when": work.when,
        "counted": judgment.counted,
        "may_correct": work.may_correct,
        "verdict": letters_of_verdict(judgment_verdict(judgment=judgment)),
        "rationale": judgment.rationale,
    }
