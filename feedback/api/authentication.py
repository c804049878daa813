"""Who calls: the holder of a key, sent as `Authorization: Token <key>`. Sessions are for pages, not for the API."""

import datetime as dt

from django.db.models import Q
from django.utils import timezone
from knox.auth import TokenAuthentication

from feedback.models import ApiToken, User

LAST_USE_EVERY = dt.timedelta(minutes=1)
"""How exact `last_used_at` is: a write for each call would double the writes of a claim."""


class ApiTokenAuthentication(TokenAuthentication):
    """Knox's check of the hashed key, which also notes when the key was last used."""

    def _cleanup_token(self, auth_token: ApiToken) -> bool:
        # Knox looks for expired ones among all keys of the person, in each call; only this one matters here.
        return auth_token.expiry is not None and auth_token.expiry < timezone.now()

    def validate_user(self, auth_token: ApiToken) -> tuple[User, ApiToken]:
        user, token = super().validate_user(auth_token)
        now = timezone.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USE_EVERY)
        if token.last_used_at is None or token.last_used_at < now - LAST_USE_EVERY:
            ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        return user, token
