"""One way to answer: the whole page, or to htmx the part of it that changes.

Which part that is, the view says; without one, htmx gets the page's content without the frame around it.
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect, HttpResponseStopPolling

STOP_POLLING = HttpResponseStopPolling.status_code
"""286: htmx shows the fragment and asks no more."""


def wants_fragment(request: HttpRequest) -> bool:
    """Tell whether htmx asked for a part of the page."""
    htmx = request.htmx  # type: ignore[attr-defined]
    return bool(htmx) and not htmx.history_restore_request


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, fragment: str = "", status: int = 200
) -> HttpResponse:
    """Answer with the page, or to htmx with its fragment."""
    is_part = wants_fragment(request)
    name = fragment if is_part and fragment else template
    base = "partial.html" if is_part else "base.html"
    response = render(request, name, {**context, "base_template": base}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def polled(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, fragment: str, is_final: bool
) -> HttpResponse:
    """Answer a page that htmx asks for again and again, until what it shows is final."""
    status = STOP_POLLING if is_final and wants_fragment(request) else 200
    return page(request, template, {**context, "is_polling": not is_final}, fragment=fragment, status=status)


def go(request: HttpRequest, to: Any, *args: Any, **kwargs: Any) -> HttpResponse:
    """Send the browser to another page after something was done, with or without htmx."""
    url = resolve_url(to, *args, **kwargs)
    if wants_fragment(request):
        moved: HttpResponse = HttpResponseClientRedirect(url)
        return moved
    response = HttpResponseRedirect(url)
    response.status_code = 303  # see other: the browser asks with GET
    return response
