from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from alignment.policies.foreign import foreign_endpoints


class AlignmentConfig(AppConfig):
    name = "alignment"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        checks.register(check_foreign_endpoints)


def check_foreign_endpoints(**_options: Any) -> list[checks.CheckMessage]:
    """Say what is wrong with the setting before anything starts, not when the first person chats."""
    try:
        foreign_endpoints()
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), id="alignment.E001")]
    return []
