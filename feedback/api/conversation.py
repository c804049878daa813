"""Live comparison through the API: chat, look until both answers are there, judge the turn's assignment, go on."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from feedback.api.assignment import SkipApi
from feedback.api.base import REFUSALS, ApiView, caller, checked, project_for, shown
from feedback.api.errors import ErrorSerializer
from feedback.domain.protocol import SkipReason
from feedback.domain.scopes import Scope
from feedback.domain.states import TurnState
from feedback.models import Conversation
from feedback.selectors.conversation import ConversationView, TurnView, conversation_get, conversation_view
from feedback.services.conversation import (
    conversation_end,
    conversation_start,
    conversation_write,
    turn_ask_again,
    turn_skip,
)


@extend_schema_serializer(component_name="Conversation")
class ConversationSerializer(serializers.Serializer):
    """A conversation as its annotator may see it."""

    @extend_schema_serializer(component_name="Turn")
    class TurnSerializer(serializers.Serializer):
        @extend_schema_serializer(component_name="TurnAnswer")
        class AnswerSerializer(serializers.Serializer):
            letter = serializers.CharField()
            text = serializers.CharField(allow_blank=True)

        number = serializers.IntegerField()
        text = serializers.CharField(help_text="What you wrote.")
        state = serializers.ChoiceField(choices=TurnState.choices)
        answers = AnswerSerializer(many=True, help_text="Both, in step, while they are being written.")
        chosen = serializers.CharField(allow_null=True, help_text="The letter that the conversation goes on with.")
        must_pick = serializers.BooleanField(help_text="Neither was good: the next turn names a letter to go on with.")
        is_alike = serializers.BooleanField(help_text="Both gave the same text, so there is nothing to judge.")
        error = serializers.CharField(allow_blank=True)
        assignment_id = serializers.IntegerField(allow_null=True, help_text="To be judged once the turn is ready.")

    conversation_id = serializers.IntegerField()
    is_going = serializers.BooleanField()
    may_write = serializers.BooleanField(help_text="The newest turn is judged and there are turns left.")
    next_number = serializers.IntegerField()
    n_left = serializers.IntegerField(help_text="Turns that are still to come.")
    turns = TurnSerializer(many=True)


_SHOWN = {200: ConversationSerializer, 409: ErrorSerializer, **REFUSALS}


class ConversationsApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="ConversationInput")
    class InputSerializer(serializers.Serializer):
        text = serializers.CharField(help_text="Your first message.")

    @extend_schema(
        operation_id="conversation_start",
        summary="Begin a conversation in which two policies answer every turn",
        request=InputSerializer,
        responses={201: ConversationSerializer, 409: ErrorSerializer, **REFUSALS},
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, "feedback.annotate_project")
        values = checked(self.InputSerializer, request.data)
        conversation = conversation_start(project=project, annotator=caller(request), text=values["text"])
        return _answer(conversation, status=201)


class ConversationApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema(
        operation_id="conversation",
        summary="See a conversation of yours; look again while its newest turn is being answered",
        responses={200: ConversationSerializer, **REFUSALS},
    )
    def get(self, request: Request, project_id: int, conversation_id: int) -> Response:
        return _answer(_own(request, project_id, conversation_id))


class TurnsApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema_serializer(component_name="TurnInput")
    class InputSerializer(serializers.Serializer):
        number = serializers.IntegerField(
            min_value=2, max_value=1_000, help_text="`next_number`; sent again, nothing new."
        )
        text = serializers.CharField()
        letter = serializers.CharField(
            required=False, allow_blank=True, default="", help_text="Where the turn before says `must_pick`."
        )

    @extend_schema(operation_id="turn", summary="Write the next turn", request=InputSerializer, responses=_SHOWN)
    def post(self, request: Request, project_id: int, conversation_id: int) -> Response:
        conversation = _own(request, project_id, conversation_id)
        values = checked(self.InputSerializer, request.data)
        conversation_write(conversation=conversation, **values)
        return _answer(conversation)


class TurnSkipApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema(
        operation_id="turn_skip",
        summary="Leave the newest turn unjudged; the conversation goes on with one of the two",
        request=SkipApi.InputSerializer,
        responses=_SHOWN,
    )
    def post(self, request: Request, project_id: int, conversation_id: int) -> Response:
        conversation = _own(request, project_id, conversation_id)
        values = checked(SkipApi.InputSerializer, request.data)
        reason, note = SkipReason(values["reason"]), values["note"]
        turn_skip(conversation=conversation, reason=reason, note=note)
        return _answer(conversation)


class TurnAgainApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema(
        operation_id="turn_again",
        summary="Ask both policies once more after one did not answer",
        request=None,
        responses=_SHOWN,
    )
    def post(self, request: Request, project_id: int, conversation_id: int) -> Response:
        conversation = _own(request, project_id, conversation_id)
        turn_ask_again(conversation=conversation)
        return _answer(conversation)


class ConversationEndApi(ApiView):
    required_scope = Scope.ANNOTATE

    @extend_schema(
        operation_id="conversation_end",
        summary="End a conversation; what was judged in it is kept",
        request=None,
        responses={204: OpenApiResponse(description="Ended."), **REFUSALS},
    )
    def post(self, request: Request, project_id: int, conversation_id: int) -> Response:
        conversation_end(conversation=_own(request, project_id, conversation_id))
        return Response(status=204)


def _own(request: Request, project_id: int, conversation_id: int) -> Conversation:
    """Return the caller's own conversation. Raises: Http404 for anybody else's, PermissionDenied."""
    project = project_for(request, project_id, "feedback.annotate_project")
    conversation = conversation_get(project=project, annotator=caller(request), conversation_id=conversation_id)
    if conversation is None:
        raise Http404
    return conversation


def _answer(conversation: Conversation, status: int = 200) -> Response:
    conversation.refresh_from_db()
    return Response(shown(ConversationSerializer, _body(conversation_view(conversation=conversation))), status=status)


def _body(view: ConversationView) -> dict[str, Any]:
    return {
        "conversation_id": view.conversation_id,
        "is_going": view.is_going,
        "may_write": view.may_write,
        "next_number": view.next_number,
        "n_left": view.n_left,
        "turns": [_turn(turn) for turn in [*view.turns, view.now]],
    }


def _turn(turn: TurnView) -> dict[str, Any]:
    return {
        "number": turn.number,
        "text": turn.text,
        "state": turn.state,
        "answers": [{"letter": answer.letter, "text": answer.text} for answer in turn.answers],
        "chosen": turn.chosen.letter if turn.chosen else None,
        "must_pick": turn.must_pick,
        "is_alike": turn.is_alike,
        "error": turn.error,
        "assignment_id": turn.assignment.pk if turn.assignment else None,
    }
