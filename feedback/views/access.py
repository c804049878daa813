"""Who may see which page: strangers get 404, members without the right get 403, nobody gets a hint."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.http import urlencode

from feedback.models import Assignment, Project, User
from feedback.selectors.assignment import assignment_get
from feedback.selectors.project import project_get
from feedback.views.rendering import go, wants_fragment

P = ParamSpec("P")
View = Callable[..., HttpResponseBase]


class Request(HttpRequest):
    """A request of somebody who is signed in."""

    user: User


def signed_in(view: View) -> View:
    """Send visitors to sign in: browsers by a redirect, htmx by a whole new page, back to where they are now."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if wants_fragment(request):
            here = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
            return go(request, f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': here})}")
        return redirect_to_login(request.get_full_path())

    return wrapped


def project_page(*permissions: str) -> Callable[[Callable[Concatenate[Request, Project, P], HttpResponseBase]], View]:
    """Give a view its project, once the person is known to be a member with one of these permissions."""

    def decorate(view: Callable[Concatenate[Request, Project, P], HttpResponseBase]) -> View:
        @signed_in
        @functools.wraps(view)
        def wrapped(request: Request, project_id: int, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            project = project_or_404(request.user, project_id)
            if not any(request.user.has_perm(permission, project) for permission in permissions):
                raise PermissionDenied
            return view(request, project, *args, **kwargs)

        return wrapped

    return decorate


def project_or_404(user: User, project_id: int) -> Project:
    """Return a project that this person may at least see. Raises: Http404."""
    project = project_get(user=user, project_id=project_id)
    if project is None:
        raise Http404
    return project


def own_assignment_or_404(request: Request, project: Project, assignment_id: str) -> Assignment:
    """Return an assignment of this person in this project. Raises: Http404."""
    number = whole_number(assignment_id)
    assignment = None if number is None else assignment_get(assignment_id=number)
    if assignment is None or assignment.annotator_id != request.user.pk or assignment.task.project_id != project.pk:
        raise Http404
    return assignment


def whole_number(text: str) -> int | None:
    """Return a number that a browser sent, or None for anything that no column of the database could hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # 64 bits hold 18 digits
