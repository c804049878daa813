"""The API of this app alone, so that its tests depend on no other room's pages."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

urlpatterns = [
    path("api/schema/", SpectacularAPIView.as_view()),
    path("api/v1/", include("feedback.api.urls")),
]
