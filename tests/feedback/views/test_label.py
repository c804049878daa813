import pytest
from django.urls import reverse

from feedback.domain.states import AssignmentState
from feedback.models import Assignment, Judgment
from feedback.services.assignment import MAX_NOTE_LENGTH, assignment_claim
from tests.example import example_project
from tests.feedback.factories import AssignmentFactory, MembershipFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
RANKS = {"rank_A": 2, "rank_B": 1, "rank_C": 2, "rank_D": 3}


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def annie(client, example):
    client.force_login(example.annotator)
    return client


def url(example, name):
    return reverse(f"feedback:{name}", args=[example.project.pk])


def held(example):
    return assignment_claim(project=example.project, annotator=example.annotator)


def form(assignment, **more):
    return {"assignment": assignment.pk, "client_key": "key-1", **RANKS, **more}


def test_looking_at_the_page_claims_nothing(annie, example):
    response = annie.get(url(example, "label"))
    assert b"Start" in response.content
    assert b"3 tasks left" in response.content
    assert not Assignment.objects.exists()


def test_starting_shows_letters_and_nothing_about_where_answers_come_from(annie, example):
    response = annie.post(url(example, "claim"), **HTMX)
    page = response.content.decode()
    assert all(f'data-letter="{letter}"' in page for letter in "ABCD")
    source = example.project.sources.get()
    assert source.key not in page
    assert source.name not in page
    assert Assignment.objects.get().shown_at is not None


def test_a_submit_answers_with_the_next_task(annie, example):
    first = held(example)
    response = annie.post(url(example, "submit"), form(first), **HTMX)
    second = Assignment.objects.get(state=AssignmentState.HELD)
    assert response.status_code == 200
    assert f'name="assignment" value="{second.pk}"' in response.content.decode()
    assert second.task_id != first.task_id
    judgment = Judgment.objects.get()
    shown = dict(zip(first.order, (2, 1, 2, 4), strict=True))  # stored as 1 + the number of better answers
    assert judgment.ranks == [shown[item] for item in range(4)]


def test_without_htmx_a_submit_leads_back_to_the_page(annie, example):
    response = annie.post(url(example, "submit"), form(held(example)))
    assert response.status_code == 303
    assert response["Location"] == url(example, "label")
    assert b"2 tasks left" in annie.get(url(example, "label")).content


def test_submitting_twice_keeps_the_first_judgment(annie, example):
    first = held(example)
    annie.post(url(example, "submit"), form(first), **HTMX)
    annie.post(url(example, "submit"), form(first), **HTMX)
    assert Judgment.objects.count() == 1


@pytest.mark.parametrize(
    ("ranks", "said"),
    [
        ({"rank_C": ""}, "Still without one: C"),
        ({"rank_B": "4"}, "Ranks start at 1"),
        ({"rank_A": "x"}, "Still without one: A"),
        ({"flag_A": "ugly"}, "There is no flag ugly"),
        ({"cannot_B": "on"}, "B cannot be judged and have a rank"),
    ],
)
def test_a_ranking_that_cannot_be_stored_comes_back_as_it_was(annie, example, ranks, said):
    response = annie.post(url(example, "submit"), form(held(example), rationale="<b>why</b>", **ranks), **HTMX)
    page = response.content.decode()
    assert response.status_code == 422
    assert said in page
    assert '<option value="3" selected>' in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert not Judgment.objects.exists()


def test_a_skipped_task_goes_to_somebody_else(annie, example):
    first = held(example)
    annie.post(url(example, "skip"), {"assignment": first.pk, "skip_reason": "other", "skip_note": "No."}, **HTMX)
    first.refresh_from_db()
    assert first.state == AssignmentState.RELEASED
    assert Assignment.objects.get(state=AssignmentState.HELD).task_id != first.task_id


def test_a_note_on_a_skip_cannot_be_typed_longer_than_it_may_be(annie, example):
    held(example)
    assert f'name="skip_note" maxlength="{MAX_NOTE_LENGTH}"' in " ".join(
        annie.get(url(example, "label")).content.decode().split()
    )


def test_the_end_of_the_queue_is_said(annie, example):
    for _ in range(3):
        response = annie.post(url(example, "submit"), form(held(example), client_key=f"key-{_}"), **HTMX)
    assert b"Nothing left to do" in response.content


def test_another_annotators_task_cannot_be_submitted_or_seen(client, example):
    other = MembershipFactory(project=example.project).user
    assignment = AssignmentFactory(task=example.tasks[0], annotator=other)
    client.force_login(example.annotator)
    assert client.post(url(example, "submit"), form(assignment)).status_code == 404
    assert client.get(reverse("feedback:correct", args=[example.project.pk, assignment.pk])).status_code == 404
    assert not Judgment.objects.exists()


def test_a_correction_supersedes_and_shows_what_was_ranked(annie, example):
    first = held(example)
    annie.post(url(example, "submit"), form(first))
    page = annie.get(reverse("feedback:correct", args=[example.project.pk, first.pk])).content.decode()
    assert page.count(" selected>") == 4
    again = form(first, client_key="key-2", correction="1", rank_A=1, rank_B=2, rank_C=3, rank_D=4)
    assert annie.post(url(example, "submit"), again).status_code == 303
    assert Judgment.objects.get(supersedes__isnull=False).supersedes.client_key == "key-1"
