from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alignment.api.serializers import (
    ReasonSerializer,
    RecipeSerializer,
    RoundDetailSerializer,
    RoundSerializer,
    round_json,
)
from alignment.domain.recipe import Recipe
from alignment.models import Round
from alignment.selectors.round import round_detail, round_get, round_list
from alignment.services.round import round_cancel, round_deploy, round_launch, round_reject
from feedback.api.base import REFUSALS, ApiView, caller, checked, project_for
from feedback.domain.scopes import Scope

WATCH, MANAGE = "feedback.export_project", "feedback.manage_project"


class RoundsApi(ApiView):
    required_scope: ClassVar[Scope | None] = Scope.ROUNDS

    @extend_schema(
        operation_id="rounds",
        summary="List the rounds of a project, newest first",
        responses={200: RoundSerializer(many=True), **REFUSALS},
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, WATCH)
        return Response(RoundSerializer(round_list(project=project), many=True).data)

    @extend_schema(
        operation_id="round_launch",
        summary="Launch the live round with a recipe: close its batch, pin the rankings, train and evaluate",
        request=RecipeSerializer,
        responses={201: RoundDetailSerializer, **REFUSALS},
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = project_for(request, project_id, MANAGE)
        launched = round_launch(project=project, recipe=Recipe.from_json(request.data), by=caller(request))
        return Response(round_json(round_detail(launched)), status=201)


class RoundApi(ApiView):
    required_scope: ClassVar[Scope | None] = Scope.ROUNDS

    @extend_schema(
        operation_id="round",
        summary="Read a round: its state, its runs with their progress, its evaluation",
        responses={200: RoundDetailSerializer, **REFUSALS},
    )
    def get(self, request: Request, project_id: int, number: int) -> Response:
        return _answer(_round(request, project_id, number, WATCH))


class RoundDeployApi(ApiView):
    required_scope: ClassVar[Scope | None] = Scope.ROUNDS

    @extend_schema(
        operation_id="round_deploy",
        summary="Deploy a round's policy; without a passed gate it needs a reason",
        request=ReasonSerializer,
        responses={202: RoundDetailSerializer, **REFUSALS},
    )
    def post(self, request: Request, project_id: int, number: int) -> Response:
        return _decide(request, _round(request, project_id, number, MANAGE), round_deploy, status=202)


class RoundRejectApi(ApiView):
    required_scope: ClassVar[Scope | None] = Scope.ROUNDS

    @extend_schema(
        operation_id="round_reject",
        summary="Reject a round's policy; the next tasks come from the live one",
        request=ReasonSerializer,
        responses={200: RoundDetailSerializer, **REFUSALS},
    )
    def post(self, request: Request, project_id: int, number: int) -> Response:
        return _decide(request, _round(request, project_id, number, MANAGE), round_reject)


class RoundCancelApi(ApiView):
    required_scope: ClassVar[Scope | None] = Scope.ROUNDS

    @extend_schema(
        operation_id="round_cancel",
        summary="Cancel a round; its rankings count in the next",
        request=ReasonSerializer,
        responses={200: RoundDetailSerializer, **REFUSALS},
    )
    def post(self, request: Request, project_id: int, number: int) -> Response:
        return _decide(request, _round(request, project_id, number, MANAGE), round_cancel)


def _round(request: Request, project_id: int, number: int, permission: str) -> Round:
    project = project_for(request, project_id, permission)
    try:
        return round_get(project=project, number=number)
    except Round.DoesNotExist as error:
        raise Http404 from error


def _decide(request: Request, round_: Round, service: Any, *, status: int = 200) -> Response:
    values = checked(ReasonSerializer, request.data)
    service(round=round_, by=caller(request), reason=values["reason"])
    return _answer(round_, status=status)


def _answer(round_: Round, *, status: int = 200) -> Response:
    return Response(round_json(round_detail(round_)), status=status)
