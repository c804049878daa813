from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.base import REFUSALS, ApiView, caller, project_for
from feedback.api.errors import ErrorSerializer
from feedback.domain.protocol import Flag, Strength
from feedback.domain.ranking import letter_position, ranks_by_letter
from feedback.domain.scopes import Scope
from feedback.domain.verdict import Verdict
from feedback.selectors.assignment import assignment_get
from feedback.services.judgment import judgment_submit


class JudgmentApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="JudgmentInput")
    class InputSerializer(serializers.Serializer):
        ranks = serializers.DictField(
            child=serializers.IntegerField(min_value=1, max_value=26, allow_null=True),
            required=False,
            help_text='A rank for each letter, 1 is the best, equal ranks are ties, null is none: {"A": 2, "B": 1}.',
        )
        cannot_judge = serializers.ListField(
            child=serializers.CharField(), required=False, help_text="Letters; they have no rank and no rating."
        )
        all_bad = serializers.BooleanField(required=False, help_text="None of the answers is acceptable.")
        strength = serializers.ChoiceField(
            choices=Strength.choices, required=False, allow_null=True, help_text="Of two answers; `ranks` say which."
        )
        ratings = serializers.DictField(
            child=serializers.DictField(child=serializers.IntegerField(allow_null=True)),
            required=False,
            help_text='For each scale of the task: {"helpful": {"A": 4, "B": 2}}.',
        )
        flags = serializers.DictField(
            child=serializers.ListField(child=serializers.ChoiceField(choices=Flag.choices)),
            required=False,
            help_text='{"A": ["untrue"]}',
        )
        edited = serializers.CharField(
            required=False, allow_blank=True, allow_null=True, help_text="The letter that `edited_answer` improves."
        )
        edited_answer = serializers.CharField(
            required=False,
            allow_blank=True,
            trim_whitespace=False,
            help_text="An improved answer, or one that was written from nothing.",
        )
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
        assignment = assignment_get(assignment_id=assignment_id)
        if assignment is None:
            raise Http404
        project_for(request, assignment.task.project_id, "feedback.annotate_project")
        if assignment.annotator_id != caller(request).pk:
            raise PermissionDenied
        data = self.InputSerializer(data=request.data)
        data.is_valid(raise_exception=True)
        values = data.validated_data
        submitted = judgment_submit(
            assignment_id=assignment_id,
            annotator=caller(request),
            verdict=verdict_by_letter(values, len(assignment.order)),
            client_key=values["client_key"],
            rationale=values["rationale"],
            active_s=values["active_s"],
        )
        output = {"judgment_id": submitted.judgment.pk, "counted": submitted.judgment.counted}
        return Response(self.OutputSerializer(output).data, status=201 if submitted.created else 200)


def verdict_by_letter(values: Mapping[str, Any], n_answers: int) -> Verdict:
    """Return what a body says about the shown letters. Raises: RankError."""
    edited = values.get("edited")
    return Verdict(
        ranks=tuple(ranks_by_letter(values["ranks"], n_answers)) if values.get("ranks") else (),
        cannot_judge=tuple(letter_position(letter, n_answers) for letter in values.get("cannot_judge", ())),
        all_bad=values.get("all_bad", False),
        strength=values.get("strength"),
        ratings={key: _scores(scores, n_answers) for key, scores in values.get("ratings", {}).items()},
        flags=tuple(
            (letter_position(letter, n_answers), name)
            for letter, names in values.get("flags", {}).items()
            for name in names
        ),
        edited_position=letter_position(edited, n_answers) if edited else None,
        edited_answer=values.get("edited_answer", ""),
    )


def _scores(scores: Mapping[str, int | None], n_answers: int) -> tuple[int | None, ...]:
    by_position = {letter_position(letter, n_answers): score for letter, score in scores.items()}
    return tuple(by_position.get(position) for position in range(n_answers))
