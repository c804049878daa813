"""Response headers that keep hostile text harmless, and the refusal to run on a guessable secret."""

import re
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

CONTENT_SECURITY_POLICY = "; ".join(  # noqa: FLY002 - one directive a line
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # data: for the small images inside style sheets; never a remote one, so that no model output can call home.
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
    ],
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": ", ".join(
        f"{power}=()"
        for power in (
            "accelerometer",
            "autoplay",
            "browsing-topics",
            "camera",
            "display-capture",
            "encrypted-media",
            "geolocation",
            "gyroscope",
            "hid",
            "identity-credentials-get",
            "idle-detection",
            "local-fonts",
            "magnetometer",
            "microphone",
            "midi",
            "payment",
            "publickey-credentials-get",
            "screen-wake-lock",
            "serial",
            "usb",
            "xr-spatial-tracking",
        )
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",  # here too, for the static files that Django's own middleware does not see
    "X-Permitted-Cross-Domain-Policies": "none",
}
"""On every answer of every view; Django's own middleware adds those of its settings."""

_SHORTEST_SECRET = 32
_GUESSABLE = re.compile(r"insecure|default|change.?me|secret.?key|password|example", re.IGNORECASE)


class SecurityHeadersMiddleware:
    """Put the policy on every response. Pages get no exceptions: there is no inline script or style in this project."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response[name] = value  # also where a view or a library has set a weaker one
        return response


def require_safe_secret() -> None:
    """Refuse to serve on a missing, short or guessable key. Raises: ImproperlyConfigured."""
    if settings.DEBUG:
        return
    key = str(settings.SECRET_KEY)
    if len(key) < _SHORTEST_SECRET or _GUESSABLE.search(key) or len(set(key)) < 10:
        raise ImproperlyConfigured(
            "SECRET_KEY is a default, too short or guessable. Set it to at least 32 random characters, "
            "or start with `make run`, which makes one.",
        )
