"""Which base is served where: one embedded server a base on a unix socket, or the operator's endpoint for all."""

from pathlib import Path

from django.conf import settings

from alignment.models import ModelVersion
from alignment.policies.client import Endpoint

_SOCKET_URL = "http://policy"
"""A unix socket has no host, but HTTP wants a name."""


def endpoint_of(base: ModelVersion) -> Endpoint:
    """Return where a base is, or will be, served."""
    if settings.POLICY_URL:
        return Endpoint(settings.POLICY_URL, settings.POLICY_KEY)
    return Endpoint(_SOCKET_URL, policy_key(), str(socket_path(base)))


def is_embedded() -> bool:
    """Whether the project's own policy servers answer."""
    return not settings.POLICY_URL


def socket_path(base: ModelVersion) -> Path:
    """Return a base's socket; by number, because socket paths end at 107 bytes."""
    folder: Path = settings.POLICY_SOCKET_DIR
    return folder / f"policy-{base.pk}.sock"


def policy_key() -> str:
    """Return the key of the embedded servers, empty until the policy host has made it."""
    path: Path = settings.POLICY_KEY_FILE
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
