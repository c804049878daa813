"""Under /api/v1/."""

from django.urls import path

from feedback.api.assignment import AssignmentApi, ClaimApi, DraftApi, PrefetchApi, ReportApi, SkipApi
from feedback.api.conversation import (
    ConversationApi,
    ConversationEndApi,
    ConversationsApi,
    TurnAgainApi,
    TurnsApi,
    TurnSkipApi,
)
from feedback.api.export import DemonstrationsApi, JudgmentsApi, PreferencesApi
from feedback.api.gold import GoldApi
from feedback.api.judgment import JudgmentApi, WorkApi
from feedback.api.project import ProjectListApi
from feedback.api.prompt import PromptsApi
from feedback.api.quality import QualityApi

urlpatterns = [
    path("projects/", ProjectListApi.as_view(), name="api-projects"),
    path("projects/<int:project_id>/claim/", ClaimApi.as_view(), name="api-claim"),
    path("projects/<int:project_id>/prefetch/", PrefetchApi.as_view(), name="api-prefetch"),
    path("projects/<int:project_id>/work/", WorkApi.as_view(), name="api-work"),
    path("projects/<int:project_id>/conversations/", ConversationsApi.as_view(), name="api-conversations"),
    path(
        "projects/<int:project_id>/conversations/<int:conversation_id>/",
        ConversationApi.as_view(),
        name="api-conversation",
    ),
    path(
        "projects/<int:project_id>/conversations/<int:conversation_id>/turns/",
        TurnsApi.as_view(),
        name="api-turns",
    ),
    path(
        "projects/<int:project_id>/conversations/<int:conversation_id>/skip/",
        TurnSkipApi.as_view(),
        name="api-turn-skip",
    ),
    path(
        "projects/<int:project_id>/conversations/<int:conversation_id>/again/",
        TurnAgainApi.as_view(),
        name="api-turn-again",
    ),
    path(
        "projects/<int:project_id>/conversations/<int:conversation_id>/end/",
        ConversationEndApi.as_view(),
        name="api-conversation-end",
    ),
    path("projects/<int:project_id>/prompts/", PromptsApi.as_view(), name="api-prompts"),
    path("projects/<int:project_id>/known-answers/", GoldApi.as_view(), name="api-gold"),
    path("projects/<int:project_id>/preferences/", PreferencesApi.as_view(), name="api-preferences"),
    path("projects/<int:project_id>/judgments/", JudgmentsApi.as_view(), name="api-judgments"),
    path("projects/<int:project_id>/demonstrations/", DemonstrationsApi.as_view(), name="api-demonstrations"),
    path("projects/<int:project_id>/quality/", QualityApi.as_view(), name="api-quality"),
    path("assignments/<int:assignment_id>/", AssignmentApi.as_view(), name="api-assignment"),
    path("assignments/<int:assignment_id>/draft/", DraftApi.as_view(), name="api-draft"),
    path("assignments/<int:assignment_id>/skip/", SkipApi.as_view(), name="api-skip"),
    path("assignments/<int:assignment_id>/report/", ReportApi.as_view(), name="api-report"),
    path("assignments/<int:assignment_id>/judgment/", JudgmentApi.as_view(), name="api-judgment"),
]
