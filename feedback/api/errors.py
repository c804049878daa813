"""Every refusal of the API has one shape: {"error": {"code", "message"}}."""

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Give DRF's refusals the API's shape."""
    response = drf_exception_handler(error, context)
    if response is not None:
        code = getattr(error, "default_code", "error")
        response.data = {"error": {"code": code, "message": str(getattr(error, "detail", error))}}
    return response
