"""What all calls share: a key, its scopes, JSON, and who may see a project."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.openapi import AutoSchema
from rest_framework.exceptions import PermissionDenied as ApiPermissionDenied
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from feedback.api.authentication import ApiTokenAuthentication
from feedback.api.errors import ErrorSerializer
from feedback.api.schema import ApiTokenScheme
from feedback.domain.errors import UploadTooLarge
from feedback.domain.scopes import Scope
from feedback.models import Assignment, Project, User
from feedback.selectors.assignment import assignment_get, assignment_own
from feedback.selectors.project import project_get

__all__ = [
    "REFUSALS",
    "ApiTokenScheme",
    "ApiView",
    "assignment_for",
    "caller",
    "checked",
    "project_for",
    "shown",
]  # the scheme registers by being imported

REFUSALS: dict[Any, Any] = {400: ErrorSerializer, 401: ErrorSerializer, 403: ErrorSerializer, 404: ErrorSerializer}
"""What any call may answer, for its schema."""


class HasScope(BasePermission):
    """The key's scopes include the one that the view names; a key without scopes may do all that its user may."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        scope = getattr(view, "required_scope", None)
        scopes = getattr(request.auth, "scopes", [])
        if scope is None or not scopes or scope in scopes:
            return True
        raise ApiPermissionDenied(_("This key lacks the scope %(scope)s.") % {"scope": scope}, code="scope_missing")


class ApiView(APIView):
    """A call of the API; `required_scope` names what a limited key must have."""

    authentication_classes = (ApiTokenAuthentication,)
    permission_classes = (IsAuthenticated, HasScope)
    renderer_classes = (JSONRenderer,)
    parser_classes: Sequence[type[BaseParser]] = (JSONParser,)
    schema = AutoSchema()
    required_scope: ClassVar[Scope | None] = None
    max_body_bytes: ClassVar[int] = 2**20
    """A judgment with the longest rationale needs a twentieth of it."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a body by its announced size before anything reads it, then look at the key."""
        if int(request.META.get("CONTENT_LENGTH") or 0) > self.max_body_bytes:
            raise UploadTooLarge(
                _("At most %(max)s MB are accepted; send less at once.") % {"max": f"{self.max_body_bytes / 2**20:.0f}"}
            )
        super().initial(request, *args, **kwargs)


def checked(serializer: type[Serializer], data: Any) -> Mapping[str, Any]:
    """Return the values of what a caller sent. Raises: rest_framework's ValidationError."""
    values: Mapping[str, Any] = _made(serializer).run_validation(data)
    return values


def shown(serializer: type[Serializer], value: Any) -> dict[str, Any]:
    """Return what a caller gets to see of an object or a mapping."""
    data: dict[str, Any] = _made(serializer).to_representation(value)
    return data


@cache
def _made(serializer: type[Serializer]) -> Serializer:
    # Without data a serializer keeps nothing between calls; a new one copies all its fields, which took a sixth of
    # the time of a claim and its judgment.
    return serializer()


def project_for(request: Request, project_id: int, permission: str) -> Project:
    """Return the project if the caller has the permission in it.

    Raises: Http404 for strangers, who are not told that it exists, PermissionDenied for members without the right.
    """
    user = caller(request)
    project = project_get(user=user, project_id=project_id)
    if project is None:
        raise Http404
    if not user.has_perm(permission, project):
        raise PermissionDenied
    return project


def assignment_for(request: Request, assignment_id: int) -> Assignment:
    """Return the caller's own assignment.

    Raises: Http404 for strangers to its project, PermissionDenied for members who are not its annotator.
    """
    own = assignment_own(assignment_id=assignment_id, annotator=caller(request))
    if own is not None:
        return own
    assignment = assignment_get(assignment_id=assignment_id)
    if assignment is None:
        raise Http404
    project_for(request, assignment.task.project_id, "feedback.annotate_project")
    if assignment.annotator_id != caller(request).pk:
        raise PermissionDenied
    return assignment


def caller(request: Request) -> User:
    """Return who calls."""
    assert isinstance(request.user, User), "IsAuthenticated stands before every view"
    return request.user
