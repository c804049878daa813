from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, assignment_for, caller, checked, project_for, shown
from feedback.api.errors import ErrorSerializer
from feedback.domain.errors import Conflict
from feedback.domain.messages import ROLES
from feedback.domain.protocol import Editing, ProtocolKind, SkipReason
from feedback.domain.scopes import Scope
from feedback.domain.states import TaskPurpose
from feedback.models import Assignment
from feedback.selectors.assignment import assignment_view
from feedback.selectors.draft import draft_of
from feedback.selectors.project import annotator_membership
from feedback.services.assignment import (
    assignment_claim,
    assignment_prefetch,
    assignment_release,
    assignment_show,
    membership_claim,
)
from feedback.services.draft import draft_save
from feedback.services.report import report_add

_NOTHING_LEFT = OpenApiResponse(description="Nothing is left for you.")


@extend_schema_serializer(component_name="Assignment")
class AssignmentSerializer(serializers.Serializer):
    """All that may be known of a task before it is judged."""

    @extend_schema_serializer(component_name="Options")
    class OptionsSerializer(serializers.Serializer):
        @extend_schema_serializer(component_name="Scale")
        class DimensionSerializer(serializers.Serializer):
            key = serializers.CharField()
            name = serializers.CharField()
            low = serializers.CharField(allow_blank=True, help_text="What 1 means.")
            high = serializers.CharField(allow_blank=True, help_text="What the highest number means.")
            points = serializers.IntegerField()

        dimensions = DimensionSerializer(many=True)
        top_k = serializers.IntegerField(help_text="So many answers need a rank; 0: all.")
        editing = serializers.ChoiceField(choices=Editing.choices)

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
    kind = serializers.ChoiceField(choices=ProtocolKind.choices)
    options = OptionsSerializer()
    guidelines = serializers.CharField(allow_blank=True)
    messages = MessageSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField(), help_text="To be read before the prompt.")
    answers = AnswerSerializer(many=True)
    lease_expires_at = serializers.DateTimeField()
    client_key = serializers.CharField(help_text="A fresh key to submit under; any other of your own will do.")


class ClaimApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema(
        operation_id="claim",
        summary="Claim the next task, or get the one that you hold",
        request=None,
        responses={200: AssignmentSerializer, 204: _NOTHING_LEFT, **REFUSALS},
    )
    def post(self, request: Request, project_id: int) -> Response:
        membership = annotator_membership(project_id=project_id, annotator=caller(request))
        if membership is None:
            project = project_for(request, project_id, "feedback.annotate_project")
            assignment = assignment_claim(project=project, annotator=caller(request), show=True)
        else:
            assignment = membership_claim(membership=membership, show=True)
        if assignment is None:
            return Response(status=204)
        return _answer(assignment_show(assignment=assignment))


class PrefetchApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema(
        operation_id="prefetch",
        summary="See the task that comes after the one in hand; two minutes later it goes to others",
        request=None,
        responses={200: AssignmentSerializer, 204: _NOTHING_LEFT, **REFUSALS},
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, "feedback.annotate_project")
        assignment = assignment_prefetch(project=project, annotator=caller(request))
        return Response(status=204) if assignment is None else _answer(assignment)


class AssignmentApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema(
        operation_id="assignment",
        summary="See a task of yours again",
        responses={200: AssignmentSerializer, **REFUSALS},
    )
    def get(self, request: Request, assignment_id: int) -> Response:
        return _answer(assignment_for(request, assignment_id))


class SkipApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="Skip")
    class InputSerializer(serializers.Serializer):
        reason = serializers.ChoiceField(choices=SkipReason.choices)
        note = serializers.CharField(required=False, allow_blank=True, default="")
        active_s = serializers.FloatField(required=False, allow_null=True, default=None)

    @extend_schema(
        operation_id="skip",
        summary="Give a task back with a reason; you do not get it again",
        request=InputSerializer,
        responses={204: OpenApiResponse(description="Given back."), 409: ErrorSerializer, **REFUSALS},
    )
    def post(self, request: Request, assignment_id: int) -> Response:
        assignment = assignment_for(request, assignment_id)
        values = checked(self.InputSerializer, request.data)
        if assignment.task.purpose == TaskPurpose.LIVE:
            raise Conflict(_("This is a turn of a conversation; skip it there."))
        assignment_release(
            assignment=assignment,
            annotator=caller(request),
            reason=SkipReason(values["reason"]),
            note=values["note"],
            active_s=values["active_s"],
        )
        return Response(status=204)


class ReportApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="Report")
    class InputSerializer(serializers.Serializer):
        text = serializers.CharField()

    @extend_schema(
        operation_id="report",
        summary="Report a problem with a task; it stays in your hands",
        request=InputSerializer,
        responses={201: OpenApiResponse(description="Kept for whoever runs the project."), **REFUSALS},
    )
    def post(self, request: Request, assignment_id: int) -> Response:
        assignment = assignment_for(request, assignment_id)
        values = checked(self.InputSerializer, request.data)
        report_add(assignment=assignment, annotator=caller(request), text=values["text"])
        return Response(status=201)


class DraftApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="Draft")
    class DraftSerializer(serializers.Serializer):
        fields = serializers.DictField(  # type: ignore[assignment]  # a draft's fields, not the serializer's
            child=serializers.ListField(child=serializers.CharField(allow_blank=True, trim_whitespace=False)),
            help_text='As the form of the task page has them: {"rank_A": ["1"]}.',
        )
        version = serializers.IntegerField(min_value=0, help_text="The last one that you know; 0 before the first.")

    @extend_schema(
        operation_id="draft", summary="What was typed into a task so far", responses={200: DraftSerializer, **REFUSALS}
    )
    def get(self, request: Request, assignment_id: int) -> Response:
        draft = draft_of(assignment=assignment_for(request, assignment_id))
        return Response({"fields": draft.fields if draft else {}, "version": draft.version if draft else 0})

    @extend_schema(
        operation_id="draft_save",
        summary="Keep what was typed into a task, unless something newer is kept",
        request=DraftSerializer,
        responses={200: DraftSerializer, 409: ErrorSerializer, **REFUSALS},
    )
    def put(self, request: Request, assignment_id: int) -> Response:
        assignment = assignment_for(request, assignment_id)
        body: dict[str, Any] = request.data if isinstance(request.data, dict) else {}
        draft = draft_save(
            assignment=assignment,
            annotator=caller(request),
            fields=body.get("fields"),
            version=body.get("version"),
        )
        return Response({"fields": draft.fields, "version": draft.version})


def _answer(assignment: Assignment) -> Response:
    view = assignment_view(assignment=assignment)
    return Response(shown(AssignmentSerializer, view))
