from io import StringIO

import pytest
import yaml
from django.core.management import call_command


@pytest.fixture(scope="module")
def schema(django_db_setup):
    out = StringIO()
    call_command("spectacular", urlconf="tests.feedback.api.urlconf", validate=True, fail_on_warn=True, stdout=out)
    return yaml.safe_load(out.getvalue())


def test_every_call_is_described_without_a_warning(schema):
    calls = {(path, method) for path, methods in schema["paths"].items() for method in methods}

    assert calls == {
        ("/api/v1/projects/", "get"),
        ("/api/v1/projects/{project_id}/claim/", "post"),
        ("/api/v1/projects/{project_id}/prompts/", "post"),
        ("/api/v1/projects/{project_id}/known-answers/", "post"),
        ("/api/v1/projects/{project_id}/preferences/", "get"),
        ("/api/v1/projects/{project_id}/judgments/", "get"),
        ("/api/v1/projects/{project_id}/demonstrations/", "get"),
        ("/api/v1/projects/{project_id}/prefetch/", "post"),
        ("/api/v1/projects/{project_id}/work/", "get"),
        ("/api/v1/projects/{project_id}/quality/", "get"),
        ("/api/v1/projects/{project_id}/conversations/", "post"),
        ("/api/v1/projects/{project_id}/conversations/{conversation_id}/", "get"),
        ("/api/v1/projects/{project_id}/conversations/{conversation_id}/turns/", "post"),
        ("/api/v1/projects/{project_id}/conversations/{conversation_id}/skip/", "post"),
        ("/api/v1/projects/{project_id}/conversations/{conversation_id}/again/", "post"),
        ("/api/v1/projects/{project_id}/conversations/{conversation_id}/end/", "post"),
        ("/api/v1/assignments/{assignment_id}/", "get"),
        ("/api/v1/assignments/{assignment_id}/draft/", "get"),
        ("/api/v1/assignments/{assignment_id}/draft/", "put"),
        ("/api/v1/assignments/{assignment_id}/skip/", "post"),
        ("/api/v1/assignments/{assignment_id}/report/", "post"),
        ("/api/v1/assignments/{assignment_id}/judgment/", "post"),
    }


def test_every_call_needs_a_key_and_says_so(schema):
    for methods in schema["paths"].values():
        for call in methods.values():
            assert call["security"] == [{"token": []}]
            assert "401" in call["responses"]
