"""Where every page and API call lives."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from config.api_docs import api_docs
from config.health import healthz

# Else its own form would let people in past the second factor and the limit on attempts.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", api_docs, name="api-docs"),
    path("api/v1/", include("feedback.api.urls")),
    path("api/v1/", include("alignment.api.urls")),
    path("", include("config.account_urls")),
    path("", include("alignment.urls")),
    path("", include("feedback.urls")),
]
