import datetime as dt

import pytest
from django.urls import reverse
from django.utils import timezone

from feedback.domain.states import BatchState, Role
from feedback.models import Judgment
from feedback.views.work import PAGE
from tests.example import example_project
from tests.feedback.factories import JudgmentFactory, MembershipFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def annie(client, example):
    client.force_login(example.annotator)
    return client


def path(example):
    return reverse("feedback:work", args=[example.project.pk])


def judge(example, task=0, **more):
    at = more.pop("at", None)
    annotator = more.pop("annotator", example.annotator)
    judgment = JudgmentFactory(assignment__task=example.tasks[task], assignment__annotator=annotator, **more)
    if at is not None:
        Judgment.objects.filter(pk=judgment.pk).update(created_at=at)
    return judgment


def test_own_work_is_listed_newest_first_and_can_be_opened(annie, example):
    first, second = judge(example, 0), judge(example, 1)
    page = annie.get(path(example)).content.decode()
    links = [reverse("feedback:correct", args=[example.project.pk, own.assignment_id]) for own in (second, first)]
    assert [page.count(link) for link in links] == [1, 1]
    assert page.index(links[0]) < page.index(links[1])


def test_another_persons_work_is_not_shown(annie, example):
    other = MembershipFactory(project=example.project, role=Role.ANNOTATOR).user
    theirs = judge(example, annotator=other)
    page = annie.get(path(example)).content.decode()
    assert reverse("feedback:correct", args=[example.project.pk, theirs.assignment_id]) not in page
    assert "Nothing yet" in page


def test_what_lies_in_a_closed_batch_can_no_longer_be_changed(annie, example):
    judgment = judge(example)
    example.project.batches.update(state=BatchState.CLOSED)
    page = annie.get(path(example)).content.decode()
    assert "Batch closed" in page
    assert reverse("feedback:correct", args=[example.project.pk, judgment.assignment_id]) not in page


def test_older_work_is_on_the_next_page(client):
    example = example_project(n_tasks=PAGE + 2)
    client.force_login(example.annotator)
    own = [judge(example, number).pk for number in range(PAGE + 2)][::-1]
    first = client.get(path(example))
    assert [row.judgment.pk for row in first.context["judgments"]] == own[:PAGE]
    assert f"?before={own[PAGE - 1]}" in first.content.decode()
    second = client.get(path(example), {"before": own[PAGE - 1]})
    assert [row.judgment.pk for row in second.context["judgments"]] == own[PAGE:]
    assert "Older ones" not in second.content.decode()


def test_days_are_those_of_ones_own_time_zone(annie, example):
    example.annotator.time_zone = "Pacific/Auckland"
    example.annotator.save()
    judge(example, 0, active_s=600.0, at=dt.datetime(2026, 3, 1, 10, 59, tzinfo=dt.UTC))
    judge(example, 1, active_s=1_200.0, at=dt.datetime(2026, 3, 1, 11, 1, tzinfo=dt.UTC))  # after midnight there
    response = annie.get(path(example))
    assert [(day.day.isoformat(), day.n_judgments, day.active_s) for day in response.context["days"]] == [
        ("2026-03-02", 1, 1_200.0),
        ("2026-03-01", 1, 600.0),
    ]
    page = response.content.decode()
    assert "30 min" in page
    assert "2026-03-02T00:01:00+13:00" in page
    assert timezone.get_current_timezone_name() == "UTC"


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30])
def test_a_wrong_page_is_the_first_page(annie, example, before):
    judge(example)
    assert len(annie.get(path(example), {"before": before}).context["judgments"]) == 1
