"""Where every page and API call lives."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from config.admin import site
from config.api_docs import api_docs
from config.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("admin/", site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", api_docs, name="api-docs"),
    path("api/v1/", include("feedback.api.urls")),
    path("api/v1/", include("alignment.api.urls")),
    path("", include("config.account_urls")),
    path("", include("alignment.urls")),
    path("", include("feedback.urls")),
]
