"""Under /api/v1/."""

from django.urls import path

from alignment.api.round import RoundApi, RoundCancelApi, RoundDeployApi, RoundRejectApi, RoundsApi

_ROUND = "projects/<int:project_id>/rounds/<int:number>/"

urlpatterns = [
    path("projects/<int:project_id>/rounds/", RoundsApi.as_view(), name="api-rounds"),
    path(_ROUND, RoundApi.as_view(), name="api-round"),
    path(f"{_ROUND}deploy/", RoundDeployApi.as_view(), name="api-round-deploy"),
    path(f"{_ROUND}reject/", RoundRejectApi.as_view(), name="api-round-reject"),
    path(f"{_ROUND}cancel/", RoundCancelApi.as_view(), name="api-round-cancel"),
]
