"""The site's tables to look at. Read-only: an edit here would bypass the services, their checks and the audit trail."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest

_SECRET_FIELDS = {"password", "digest", "token_key"}


class ReadOnlyAdmin(admin.ModelAdmin):
    """Lists and shows rows, also for superusers without the hashes of passwords and keys; changes nothing."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        return [field.name for field in self.model._meta.fields if field.name not in _SECRET_FIELDS]  # noqa: SLF001 - Django's documented API

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False


for room in ("feedback", "alignment"):
    for model in apps.get_app_config(room).get_models():
        admin.site.register(model, ReadOnlyAdmin)

site = admin.site
# Else its own form would let people in past the second factor and the limit on attempts.
site.login = secure_admin_login(site.login)  # type: ignore[method-assign]
