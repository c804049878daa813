"""What can go wrong with a request, and how OpenAI's interface says it."""

from typing import Any, ClassVar

from modeling.errors import BadInput, ModelingError


class RequestError(ModelingError):
    """Base of the errors that a client is told."""

    status: ClassVar[int] = 400
    kind: ClassVar[str] = "invalid_request_error"
    code: ClassVar[str | None] = None


class Unauthorized(RequestError):  # noqa: N818 - what happened to the request
    status, code = 401, "invalid_api_key"


class TooLarge(RequestError):  # noqa: N818 - what happened to the request
    status, code = 413, "request_too_large"


class UnknownModel(RequestError):  # noqa: N818 - what happened to the request
    """Neither the base nor a loaded adapter has that name."""

    status, code = 404, "model_not_found"


class Conflict(RequestError):  # noqa: N818 - what happened to the request
    """The name is taken by something else, or no more adapters fit."""

    status, code = 409, "conflict"


class Overloaded(RequestError):  # noqa: N818 - what happened to the request
    """Too many requests wait already."""

    status, kind, code = 429, "rate_limit_error", "queue_full"


class Closing(RequestError):  # noqa: N818 - what happened to the request
    """The server is about to end."""

    status, kind, code = 503, "server_error", "shutting_down"


def error_body(message: str, *, kind: str, code: str | None) -> dict[str, Any]:
    """Return the body of an answer that is an error, in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_status(error: Exception) -> tuple[int, dict[str, Any]]:
    """Return status and body for an error. What is not the client's fault is not explained to it."""
    if isinstance(error, RequestError):
        return error.status, error_body(str(error), kind=error.kind, code=error.code)
    if isinstance(error, BadInput):
        return 400, error_body(str(error), kind="invalid_request_error", code=None)
    if isinstance(error, ModelingError):
        return 500, error_body(str(error), kind="server_error", code=None)
    return 500, error_body("The server failed; its log says why.", kind="server_error", code=None)
