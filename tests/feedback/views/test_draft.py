import pytest
from django.urls import reverse

from feedback.domain.states import AssignmentState
from feedback.models import Assignment, Draft
from feedback.services.assignment import assignment_claim, assignment_show
from tests.example import example_project
from tests.feedback.factories import AssignmentFactory, MembershipFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def annie(client, example):
    client.force_login(example.annotator)
    return client


@pytest.fixture
def held(example):
    return assignment_show(assignment=assignment_claim(project=example.project, annotator=example.annotator))


def url(example, name):
    return reverse(f"feedback:{name}", args=[example.project.pk])


def save(client, example, assignment, version=0, **fields):
    return client.post(url(example, "draft"), {"assignment": assignment.pk, "version": version, **fields})


def test_a_draft_is_kept_and_shown_with_the_task(annie, example, held):
    response = save(annie, example, held, rank_A="2", rationale="<b>why</b>", flag_B=["unsafe", "broken"])
    assert response.json() == {"version": 1}
    fields = Draft.objects.get(assignment=held).fields
    assert fields == {"rank_A": ["2"], "rationale": ["<b>why</b>"], "flag_B": ["unsafe", "broken"]}
    page = annie.get(url(example, "label")).content.decode()
    assert 'data-draft-version="1"' in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page


def test_an_older_version_is_refused_with_the_newer_draft(annie, example, held):
    save(annie, example, held, rank_A="1")
    save(annie, example, held, version=1, rank_A="2")
    response = save(annie, example, held, version=1, rank_A="3")
    assert response.status_code == 409
    assert response.json()["version"] == 2
    assert response.json()["fields"] == {"rank_A": ["2"]}
    assert Draft.objects.get().fields == {"rank_A": ["2"]}


def test_a_task_that_is_done_keeps_no_draft(annie, example, held):
    Assignment.objects.filter(pk=held.pk).update(state=AssignmentState.SUBMITTED)
    response = save(annie, example, held, rank_A="1")
    assert response.status_code == 409
    assert response.json()["version"] is None
    assert not Draft.objects.exists()


@pytest.mark.parametrize("wrong", [{"version": "x"}, {"version": "-1"}, {"rationale": "a" * 1_000_000}])
def test_a_draft_that_cannot_be_kept_is_refused_in_words(annie, example, held, wrong):
    response = save(annie, example, held, **wrong)
    assert response.status_code == 422
    assert response.json()["message"]
    assert not Draft.objects.exists()


def test_another_persons_draft_cannot_be_written_or_read(client, example):
    theirs = AssignmentFactory(task=example.tasks[0], annotator=MembershipFactory(project=example.project).user)
    client.force_login(example.annotator)
    assert save(client, example, theirs, rank_A="1").status_code == 404
    assert not Draft.objects.exists()


def test_the_next_task_is_fetched_before_it_is_shown(annie, example, held):
    response = annie.post(url(example, "prefetch"))
    page = response.content.decode()
    waiting = Assignment.objects.get(shown_at=None)
    assert f'name="assignment" value="{waiting.pk}"' in page
    assert "2 tasks left" in page  # when it is shown, the one in hand is done
    assert 100 < float(response["Lease-S"]) <= 120
    assert f'name="assignment" value="{waiting.pk}"' in annie.post(url(example, "prefetch")).content.decode()


def test_nothing_is_fetched_where_nothing_is_left(annie, example, held):
    for task in example.tasks:
        task.open_slots = 0
        task.save()
    assert annie.post(url(example, "prefetch")).status_code == 204


def test_a_submit_starts_the_time_of_the_task_that_is_shown_already(annie, example, held):
    annie.post(url(example, "prefetch"))
    waiting = Assignment.objects.get(shown_at=None)
    form = {"assignment": held.pk, "client_key": "k", "rank_A": 1, "rank_B": 2, "rank_C": 3, "rank_D": 4}
    response = annie.post(url(example, "submit"), form | {"outbox": "1", "shown": waiting.pk}, **HTMX)
    waiting.refresh_from_db()
    assert waiting.shown_at is not None
    assert 'id="comparison"' not in response.content.decode()
    assert len(response.content) < 1_000
