"""The page of one annotator: whole, as a fragment, and everything that is done there."""

import pytest
from django.urls import reverse

from feedback.domain.states import HoldState, Standing
from feedback.models import Hold, Judgment, Membership, Task
from tests.example import example_project, example_rounds
from tests.feedback.factories import HoldFactory, JudgmentFactory, MembershipFactory, TaskFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def annie(example):
    return example.annotator.memberships.get()


@pytest.fixture
def ada(client, example):
    client.force_login(example.admin)
    return client


def url(membership, name="annotator", *more):
    return reverse(f"feedback:{name}", args=[membership.project_id, membership.user_id, *more])


def standing(membership):
    membership.refresh_from_db()
    return membership.standing, membership.standing_reason


def test_members_lead_to_the_page_and_say_who_does_not_work(ada, annie):
    Membership.objects.filter(pk=annie.pk).update(standing=Standing.PAUSED)
    html = ada.get(reverse("feedback:members", args=[annie.project_id])).content.decode()

    assert url(annie) in html
    assert "Paused" in html


def test_an_admin_pauses_somebody_with_a_reason_and_lets_them_go_on(ada, annie):
    html = ada.post(url(annie, "annotator_standing"), {"to": "paused", "reason": "Holidays <b>"}, **HTMX).content

    assert standing(annie) == ("paused", "Holidays <b>")
    assert b"Holidays &lt;b&gt;" in html
    assert b"<html" not in html
    assert ada.post(url(annie, "annotator_standing"), {"to": "working"}).status_code == 303
    assert standing(annie) == ("working", "")


def test_a_pause_without_a_reason_is_refused_and_says_so(ada, annie):
    response = ada.post(url(annie, "annotator_standing"), {"to": "paused"})

    assert response.status_code == 422
    assert standing(annie)[0] == "working"


@pytest.mark.parametrize("to", ["stopped", "unqualified", "nonsense", ""])
def test_admins_do_not_choose_what_only_the_system_says(ada, annie, to):
    assert ada.post(url(annie, "annotator_standing"), {"to": to, "reason": "x"}).status_code == 404


def test_an_illegal_move_shows_how_it_stands(ada, annie):
    Membership.objects.filter(pk=annie.pk).update(standing=Standing.UNQUALIFIED)
    response = ada.post(url(annie, "annotator_standing"), {"to": "paused", "reason": "x"})

    assert response.status_code == 422
    assert "Not qualified" in response.content.decode()


def test_an_exclusion_says_what_it_did_and_which_rounds_have_the_judgments(ada, example, annie):
    round_ = example_rounds(example)  # a snapshot with the judgment of one task
    html = ada.post(url(annie, "annotator_standing"), {"to": "excluded", "reason": "clicks"}, **HTMX).content.decode()

    assert "1 judgment in an open batch no longer counts" in html
    assert not Judgment.objects.filter(counted=True).exists()
    html = ada.get(url(annie) + "?datasets=1").content.decode()
    assert f"Snapshot {round_.snapshot_id}" in html
    assert reverse("alignment:round", args=[annie.project_id, round_.number]) in html


def test_the_page_asks_again_while_an_exclusion_is_being_done(ada, annie):
    JudgmentFactory(assignment__task=TaskFactory(project=annie.project), assignment__annotator=annie.user)
    assert "every 2s" not in ada.get(url(annie)).content.decode()
    Membership.objects.filter(pk=annie.pk).update(standing=Standing.EXCLUDED)

    html = ada.get(url(annie)).content.decode()
    assert "every 2s" in html
    assert "0 done, 1 to go" in html


@pytest.mark.parametrize(
    ("typed", "stored", "status"),
    [("7", 7, 303), ("", None, 303), ("0", None, 422), ("-3", None, 422), ("x", None, 422)],
)
def test_a_days_limit_is_a_number_or_empty(ada, annie, typed, stored, status):
    assert ada.post(url(annie, "annotator_cap"), {"daily_cap": typed}).status_code == status
    annie.refresh_from_db()
    assert annie.daily_cap == stored


def test_a_block_is_given_and_dissolved(ada, annie):
    assert ada.post(url(annie, "annotator_block"), {"batch": "1", "n": "2"}).status_code == 303
    assert Task.objects.filter(reserved_for=annie.user).count() == 2
    assert "Batch 1: 2 tasks" in ada.get(url(annie)).content.decode()

    assert ada.post(url(annie, "annotator_dissolve"), {"batch": "1"}).status_code == 303
    assert not Task.objects.exclude(reserved_for=None).exists()
    assert ada.post(url(annie, "annotator_block"), {"batch": "9", "n": "2"}).status_code == 404
    assert ada.post(url(annie, "annotator_block"), {"batch": "1", "n": "many"}).status_code == 422


@pytest.mark.parametrize("decision", ["cleared", "confirmed"])
def test_a_burst_is_shown_with_its_figures_and_decided_once(ada, annie, decision):
    hold = HoldFactory(membership=annie)
    task = TaskFactory(project=annie.project, open_slots=0)
    JudgmentFactory(assignment__task=task, assignment__annotator=annie.user, counted=False, hold=hold)
    assert "Faster than anybody reads" in ada.get(url(annie)).content.decode()

    ada.post(url(annie, "annotator_hold", hold.pk), {"decision": decision})

    task.refresh_from_db()
    assert Hold.objects.get().state == HoldState(decision)
    assert Judgment.objects.get().counted == (decision == "cleared")
    assert task.open_slots == (decision == "confirmed")
    assert ada.post(url(annie, "annotator_hold", hold.pk), {"decision": decision}).status_code == 422


def test_a_hold_of_somebody_else_is_not_there(ada, annie):
    other = HoldFactory(membership=MembershipFactory(project=annie.project))
    response = ada.post(url(annie, "annotator_hold", other.pk), {"decision": "cleared"})

    assert response.status_code == 404
    assert Hold.objects.get().state == HoldState.REVIEWING


def test_who_does_not_annotate_has_no_page(ada, example):
    assert ada.get(reverse("feedback:annotator", args=[example.project.pk, example.researcher.pk])).status_code == 404


def test_a_paused_person_reads_why_in_place_of_a_task(client, example, annie):
    Membership.objects.filter(pk=annie.pk).update(standing=Standing.PAUSED, standing_reason="Read the guidelines.")
    client.force_login(annie.user)
    label = reverse("feedback:label", args=[annie.project_id])
    html = client.get(label).content.decode()

    assert "Read the guidelines." in html
    assert "Start" not in html
    response = client.post(reverse("feedback:claim", args=[annie.project_id]), **HTMX)
    assert "No tasks for you just now" in response.content.decode()
    assert "toast error" not in response.content.decode()
    assert client.post(reverse("feedback:claim", args=[annie.project_id]), follow=True).redirect_chain == [(label, 303)]
    assert client.post(reverse("feedback:prefetch", args=[annie.project_id])).status_code == 204
