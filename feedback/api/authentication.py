"""Who calls the API: a key in the Authorization header, never a session."""

from knox.auth import TokenAuthentication


class ApiTokenAuthentication(TokenAuthentication):
    """knox's check of the hashed key."""
