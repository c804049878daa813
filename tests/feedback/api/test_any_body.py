"""Whatever the schema allows, and much that it does not: a described answer, and never an error of ours."""

import hypothesis
import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from schemathesis.checks import not_a_server_error, response_schema_conformance, status_code_conformance

from feedback.domain.protocol import DEFAULT_DIMENSIONS, Editing, ProtocolKind, ProtocolOptions
from feedback.domain.states import Role
from feedback.services.person import member_add, token_create
from tests.feedback.factories import AssignmentFactory, ProjectFactory, TaskFactory, UserFactory

CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)


@pytest.fixture
def key(db):
    """Of somebody with every role in projects of every kind, with a task in hand in each."""
    user = UserFactory()
    for kind in ProtocolKind:
        dimensions = DEFAULT_DIMENSIONS if kind == ProtocolKind.RATE else ()
        editing = Editing.NO if kind in (ProtocolKind.WRITE, ProtocolKind.LIVE) else Editing.MAY
        options = ProtocolOptions(dimensions=dimensions, editing=editing)
        project = ProjectFactory(protocol__kind=kind, protocol__options=options.to_json())
        for role in Role:
            member_add(project=project, user=user, role=role, by=None)
        AssignmentFactory(task=TaskFactory(project=project, n_answers=0 if kind == "write" else 2), annotator=user)
    return token_create(user=user, name="any")[1]


@pytest.fixture
def api(key):
    # The end of a request would close the test's own connection, as no other client of a test lets it.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/schema/?format=json", WSGIHandler())
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.slow
def test_any_call_gets_an_answer_that_the_schema_describes(key, api):
    headers = {"Authorization": f"Token {key}", "Accept-Encoding": "identity"}
    for found in api.get_all_operations():
        operation = found.ok()

        @hypothesis.given(case=operation.as_strategy())
        @hypothesis.settings(
            max_examples=40,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            derandomize=True,
        )
        def call(case):
            for name in case.path_parameters:
                if isinstance(case.path_parameters[name], int):
                    case.path_parameters[name] %= 7  # one of the few that exist, or just none
            case.call_and_validate(headers=headers, checks=CHECKS)

        call()
