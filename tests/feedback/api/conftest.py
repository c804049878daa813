import pytest
from rest_framework.test import APIClient

from feedback.services.person import token_create
from tests.feedback.factories import ProjectFactory


@pytest.fixture(autouse=True)
def _own_urls(settings):
    settings.ROOT_URLCONF = "tests.feedback.api.urlconf"


@pytest.fixture
def project(db):
    return ProjectFactory()


@pytest.fixture
def client_of():
    """Return a client that calls with a fresh key of the user."""

    def client_of(user, *scopes):
        _, key = token_create(user=user, name="test", scopes=scopes)
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
        return client

    return client_of
