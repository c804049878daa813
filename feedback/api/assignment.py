import dataclasses

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, caller, project_for
from feedback.domain.messages import ROLES
from feedback.domain.scopes import Scope
from feedback.selectors.assignment import assignment_view
from feedback.services.assignment import assignment_claim, assignment_show


class ClaimApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="Assignment")
    class OutputSerializer(serializers.Serializer):
        @extend_schema_serializer(component_name="Message")
        class MessageSerializer(serializers.Serializer):
            role = serializers.ChoiceField(choices=ROLES)
            content = serializers.CharField()

        @extend_schema_serializer(component_name="Answer")
        class AnswerSerializer(serializers.Serializer):
            letter = serializers.CharField()
            text = serializers.CharField(allow_blank=True)

        assignment_id = serializers.IntegerField()
        protocol = serializers.IntegerField(help_text="Version of the guidelines.")
        guidelines = serializers.CharField(allow_blank=True)
        messages = MessageSerializer(many=True)
        answers = AnswerSerializer(many=True)
        lease_expires_at = serializers.DateTimeField()
        client_key = serializers.CharField(help_text="A fresh key to submit under; any other of your own will do.")

    @extend_schema(
        operation_id="claim",
        summary="Claim the next task, or get the one that you hold",
        request=None,
        responses={200: OutputSerializer, 204: OpenApiResponse(description="Nothing is left for you."), **REFUSALS},
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, "feedback.annotate_project")
        assignment = assignment_claim(project=project, annotator=caller(request))
        if assignment is None:
            return Response(status=204)
        view = assignment_view(assignment=assignment_show(assignment=assignment))
        return Response(self.OutputSerializer(dataclasses.asdict(view)).data)
