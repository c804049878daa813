"""Under /api/v1/."""

from django.urls import path

from feedback.api.assignment import ClaimApi
from feedback.api.export import DemonstrationsApi, JudgmentsApi, PreferencesApi
from feedback.api.judgment import JudgmentApi
from feedback.api.project import ProjectListApi
from feedback.api.prompt import PromptsApi

urlpatterns = [
    path("projects/", ProjectListApi.as_view(), name="api-projects"),
    path("projects/<int:project_id>/claim/", ClaimApi.as_view(), name="api-claim"),
    path("projects/<int:project_id>/prompts/", PromptsApi.as_view(), name="api-prompts"),
    path("projects/<int:project_id>/preferences/", PreferencesApi.as_view(), name="api-preferences"),
    path("projects/<int:project_id>/judgments/", JudgmentsApi.as_view(), name="api-judgments"),
    path("projects/<int:project_id>/demonstrations/", DemonstrationsApi.as_view(), name="api-demonstrations"),
    path("assignments/<int:assignment_id>/judgment/", JudgmentApi.as_view(), name="api-judgment"),
]
