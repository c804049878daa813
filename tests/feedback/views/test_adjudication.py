"""The adjudicator's queue and page."""

import pytest
from django.urls import reverse

from feedback.domain.states import AdjudicationState, Role
from feedback.domain.verdict import Verdict
from feedback.models import Adjudication, Judgment
from feedback.selectors.adjudication import adjudication_get
from feedback.services.adjudication import adjudication_decide
from tests.feedback.factories import (
    AdjudicationFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    TaskFactory,
)
from tests.payloads import PAYLOADS

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def project():
    return ProjectFactory(max_overlap=2)


@pytest.fixture
def waiting(project):
    return [disagreement(project) for _ in range(2)]


@pytest.fixture
def dee(project):
    return MembershipFactory(project=project, role=Role.ADJUDICATOR, user__username="dee").user


@pytest.fixture
def page(client, dee):
    client.force_login(dee)
    return client


def disagreement(project, **said):
    task = TaskFactory(project=project, overlap=2, open_slots=0)
    for name, ranks in (("zoe", [1, 2]), ("yan", [2, 1])):
        JudgmentFactory(
            assignment__task=task, assignment__annotator__username=f"{name}{task.pk}", ranks=ranks,
            rationale=f"{name[0]} thinks so", **said,
        )  # fmt: skip
    return AdjudicationFactory(task=task)


def url(adjudication, name="adjudication"):
    return reverse(f"feedback:{name}", args=[adjudication.task.project_id, adjudication.pk])


VERDICT = {"rank_A": "1", "rank_B": "2", "client_key": "k", "rationale": "Because."}


def test_the_list_shows_what_waits_and_nothing_else(page, project, waiting):
    decided = disagreement(project)
    Adjudication.objects.filter(pk=decided.pk).update(state=AdjudicationState.DECIDED)
    html = page.get(reverse("feedback:adjudications", args=[project.pk])).content.decode()

    assert [url(one) in html for one in (*waiting, decided)] == [True, True, False]


def test_the_page_shows_all_judgments_and_no_names(page, waiting):
    html = page.get(url(waiting[0])).content.decode()

    assert all(text in html for text in ("Annotator 1", "Annotator 2", "z thinks so", "y thinks so", "0% of the pairs"))
    assert not [name for name in Judgment.objects.values_list("annotator__username", flat=True) if name in html]
    assert 'name="skip_reason"' not in html
    assert "<html" not in page.get(url(waiting[0]), **HTMX).content.decode()


def test_a_decision_is_stored_and_the_next_task_comes(page, waiting, dee):
    response = page.post(url(waiting[0], "adjudication_decide"), VERDICT, **HTMX)

    assert Judgment.objects.get(annotator=dee).rationale == "Because."
    assert response["HX-Push-Url"] == url(waiting[1])
    assert url(waiting[1], "adjudication_decide") in response.content.decode()
    plain = page.post(url(waiting[1], "adjudication_decide"), VERDICT | {"client_key": "l"}, follow=True)
    assert plain.redirect_chain == [(reverse("feedback:adjudications", args=[waiting[0].task.project_id]), 303)]
    assert "Nothing waits for you" in plain.content.decode()


def test_who_is_second_is_told_and_keeps_what_they_typed(page, project, waiting):
    first = MembershipFactory(project=project, role=Role.ADJUDICATOR, user__username="quick").user
    found = adjudication_get(project=project, adjudication_id=waiting[0].pk)
    adjudication_decide(adjudication=found, by=first, verdict=Verdict(ranks=(1, 2)), client_key="q")

    response = page.post(url(waiting[0], "adjudication_decide"), VERDICT)

    html = response.content.decode()
    assert response.status_code == 409
    assert "quick has decided this already" in html
    assert "Because.</textarea>" in html
    assert page.get(url(waiting[0])).status_code == 303


def test_a_ranking_with_a_hole_comes_back_with_what_was_typed(page, waiting):
    response = page.post(url(waiting[0], "adjudication_decide"), VERDICT | {"rank_B": ""})

    assert response.status_code == 422
    assert "Because.</textarea>" in response.content.decode()
    assert Adjudication.objects.get(pk=waiting[0].pk).state == AdjudicationState.WAITING


def test_hostile_remarks_are_shown_as_text(page, project):
    adjudication = disagreement(project)
    Judgment.objects.update(rationale="\n".join(PAYLOADS).replace("\0", ""))  # no submit would take a NUL
    html = page.get(url(adjudication)).content.decode()

    assert "<script>alert" not in html
    assert "&lt;script" in html
