"""Foreign endpoints: OpenAI-compatible servers that the operator allows, for comparing one's policies with others.

Only the environment can name one, with its key; nothing that people send chooses an address. Before each connection the
name is resolved and every address of it checked; the connection goes to the address that was checked, so that a name
that changes meanwhile leads nowhere else. Redirects are not followed.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from alignment.policies.client import Endpoint, Reach

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FIELDS = {"url", "model", "key", "private"}


@dataclasses.dataclass(frozen=True)
class ForeignEndpoint:
    """One entry of the allow-list."""

    name: str
    endpoint: Endpoint
    model: str


def foreign_endpoints() -> dict[str, ForeignEndpoint]:
    """Return what the setting FOREIGN_ENDPOINTS allows, by name. Raises: ImproperlyConfigured."""
    allowed: Any = settings.FOREIGN_ENDPOINTS
    if not isinstance(allowed, dict):
        raise ImproperlyConfigured('FOREIGN_ENDPOINTS must be an object: {"name": {"url", "model", "key"}}.')
    return {name: _read(name, entry) for name, entry in allowed.items()}


def _read(name: str, entry: Any) -> ForeignEndpoint:
    where = f"FOREIGN_ENDPOINTS, {name}"
    if not _NAME.fullmatch(name):
        raise ImproperlyConfigured(f"{where}: a name has small letters, digits, dots and dashes.")
    if not isinstance(entry, Mapping) or not {"url", "model", "key"} <= set(entry) <= _FIELDS:
        raise ImproperlyConfigured(f"{where}: give url, model and key, and private where the address is not public.")
    url = urlsplit(str(entry["url"]))
    is_private = entry.get("private") is True
    if not url.hostname or url.username or url.query or url.scheme not in ("https", *(["http"] if is_private else [])):
        raise ImproperlyConfigured(f"{where}: url must be https://host, or http where private is true.")
    if not str(entry["key"]).strip() or not str(entry["model"]).strip():
        raise ImproperlyConfigured(f"{where}: model and key must not be empty.")
    address = url.geturl().rstrip("/").removesuffix("/v1")
    reach = Reach.PRIVATE if is_private else Reach.PUBLIC
    return ForeignEndpoint(name, Endpoint(address, str(entry["key"]), reach=reach), str(entry["model"]))
