"""Who calls: the holder of a key, sent as `Authorization: Token <key>`. Sessions are for pages, not for the API."""

import datetime as dt
from hmac import compare_digest

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.settings import CONSTANTS
from rest_framework.exceptions import AuthenticationFailed

from feedback.models import ApiToken, User
from feedback.selectors.rows import Rows

LAST_USE_EVERY = dt.timedelta(minutes=1)
"""How exact `last_used_at` is: a write for each call would double the writes of a claim."""


_TOKENS = Rows(
    """
    SELECT {token}, {person}
    FROM feedback_apitoken AS token JOIN feedback_user AS person ON person.id = token.user_id
    WHERE token.token_key = %s
    """,
    token=ApiToken,
    person=User,
)


class ApiTokenAuthentication(TokenAuthentication):
    """Knox's check of the hashed key, which also notes when the key was last used."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        """As knox does, but without a look at all other keys of the person for expired ones."""
        key = token.decode("utf-8", errors="replace")
        digest = hash_token(key)
        for known, user in _TOKENS.read(key[: CONSTANTS.TOKEN_KEY_LENGTH]):
            is_expired = known.expiry is not None and known.expiry < timezone.now()
            if compare_digest(digest, known.digest) and not is_expired:
                known.user = user
                return self.validate_user(known)
        raise AuthenticationFailed(_("Invalid token."))

    def validate_user(self, auth_token: ApiToken) -> tuple[User, ApiToken]:
        user, token = super().validate_user(auth_token)
        now = timezone.now()
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USE_EVERY)
        if token.last_used_at is None or token.last_used_at < now - LAST_USE_EVERY:
            ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
        return user, token
