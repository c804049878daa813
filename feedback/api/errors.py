"""Every refusal of the API in one shape: {"error": {"code", "message"}}, with "line" for a file."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from feedback.domain.errors import Conflict, FeedbackError, Halted, NotAllowed, UploadRefused, UploadTooLarge
from feedback.domain.states import IllegalTransition

STATUS = {NotAllowed: 403, Halted: 403, Conflict: 409, UploadTooLarge: 413}
"""By class; whatever else a person asked for wrongly is 400."""


class ErrorSerializer(serializers.Serializer):
    """What a refused call answers."""

    class DetailSerializer(serializers.Serializer):
        code = serializers.CharField(help_text="For programs; does not change.")
        message = serializers.CharField(help_text="For people; says what to do.")
        line = serializers.IntegerField(required=False, help_text="Of the uploaded file.")

    error = DetailSerializer()


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an exception of a view; None leaves it to Django, which answers 500."""
    if isinstance(exc, FeedbackError):
        status = next((status for kind, status in STATUS.items() if isinstance(exc, kind)), 400)
        line = exc.line if isinstance(exc, UploadRefused) else None
        return _answer(status, exc.code, exc.message, line)
    if isinstance(exc, IllegalTransition):
        return _answer(409, "illegal_state", str(exc))
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    response = drf_exception_handler(exc, context)
    if response is not None and isinstance(exc, exceptions.APIException):
        codes = exc.get_codes()
        code = codes if isinstance(codes, str) else "invalid"
        response.data = {"error": {"code": code, "message": " ".join(_sentences(exc.detail))}}
    return response


def _answer(status: int, code: str, message: str, line: int | None = None) -> Response:
    error: dict[str, Any] = {"code": code, "message": message}
    return Response({"error": error if line is None else {**error, "line": line}}, status=status)


def _sentences(detail: Any, where: str = "") -> list[str]:
    """Return the messages of DRF's nested details, each behind the field that it is about."""
    if isinstance(detail, dict):
        return [text for field, inner in detail.items() for text in _sentences(inner, f"{where}{field}: ")]
    if isinstance(detail, list):
        return [text for inner in detail for text in _sentences(inner, where)]
    return [f"{where}{detail}".replace("non_field_errors: ", "")]
