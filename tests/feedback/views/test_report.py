import pytest
from django.urls import reverse

from feedback.models import Membership, Report
from feedback.services.report import report_resolve
from feedback.views.report import REPORTS_A_PAGE
from tests.example import QUESTIONS, example_project
from tests.feedback.factories import TaskFactory

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def ada(client, example):
    client.force_login(example.admin)
    return client


def path(example):
    return reverse("feedback:reports", args=[example.project.pk])


def done_path(example, report):
    return reverse("feedback:report_resolve", args=[example.project.pk, report.pk])


def reported(example, text="It is cut off.", task=0):
    return Report.objects.create(task=example.tasks[task], annotator=example.annotator, text=text)


def test_open_reports_are_listed_newest_first_with_prompt_and_pseudonym_but_no_name(ada, example):
    reported(example, "The first one.")
    reported(example, "The second one.", task=1)
    page = ada.get(path(example)).content.decode()
    pseudonym = Membership.objects.get(user=example.annotator).pseudonym
    assert page.index("The second one.") < page.index("The first one.")
    assert (QUESTIONS[0] in page, QUESTIONS[1] in page) == (True, True)
    assert page.count(f"<code>{pseudonym}</code>") == 2
    assert example.annotator.username not in page


def test_htmx_gets_the_list_alone(ada, example):
    reported(example)
    part = ada.get(path(example), **HTMX).content.decode()
    assert part.lstrip().startswith('<section id="reports"')
    assert "It is cut off." in part


def test_what_was_reported_is_shown_as_text(ada, example):
    example.tasks[0].prompt.messages = [{"role": "user", "content": "<i>ask</i>"}]
    example.tasks[0].prompt.save()
    reported(example, "<script>alert(1)</script>")
    page = ada.get(path(example)).content.decode()
    assert ("<script>alert(1)" in page, "<i>ask" in page) == (False, False)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;i&gt;ask&lt;/i&gt;" in page


def test_reports_of_another_project_are_not_shown(ada, example):
    Report.objects.create(task=TaskFactory(), annotator=example.annotator, text="It is cut off.")
    page = ada.get(path(example)).content.decode()
    assert "It is cut off." not in page
    assert "Nothing waits." in page


@pytest.mark.parametrize("role", ["annotator", "researcher"])
def test_only_admins_of_the_project_read_reports_or_end_them(client, example, role):
    report = reported(example)
    client.force_login(getattr(example, role))
    assert client.get(path(example)).status_code == 403
    assert client.post(done_path(example, report)).status_code == 403
    report.refresh_from_db()
    assert report.resolved_at is None


def test_a_report_that_is_done_moves_behind_the_link(ada, example):
    report = reported(example)
    response = ada.post(done_path(example, report), follow=True)
    report.refresh_from_db()
    assert report.resolved_by == example.admin
    assert response.redirect_chain == [(f"{path(example)}?page=1", 303)]
    page = response.content.decode()
    assert "The report is marked as done." in page
    assert ("It is cut off." in page, f"{path(example)}?done=1" in page) == (False, True)

    page = ada.get(path(example), {"done": "1"}).content.decode()
    assert "It is cut off." in page
    assert f"done by {example.admin.username}" in page
    assert done_path(example, report) not in page


def test_htmx_gets_the_list_without_the_report_that_is_done(ada, example):
    report, _other = reported(example), reported(example, "Another one.")
    part = ada.post(done_path(example, report), **HTMX).content.decode()
    assert ("It is cut off." in part, "Another one." in part, "<html" in part) == (False, True, False)
    assert "The report is marked as done." in part


def test_a_report_done_in_two_windows_keeps_who_was_first(ada, example):
    report = reported(example)
    report_resolve(report=report, by=example.researcher)
    assert ada.post(done_path(example, report)).status_code == 303
    report.refresh_from_db()
    assert report.resolved_by == example.researcher


@pytest.mark.parametrize("query", ["?page=2", "?page=2&done=1"])
def test_reports_come_in_pages_and_the_links_stay_among_open_or_done_ones(ada, example, query):
    for number in range(REPORTS_A_PAGE + 1):
        report = reported(example, f"No. {number:02d}.")
        if "done" in query:
            report_resolve(report=report, by=example.admin)
    first = ada.get(path(example) + query.replace("page=2", "page=1")).content.decode()
    second = ada.get(path(example) + query).content.decode()
    assert ("No. 00." in first, "No. 01." in first) == (False, True)
    assert ("No. 00." in second, "No. 01." in second) == (True, False)
    link = "?done=1&amp;page=2" if "done" in query else "?page=2"
    assert f'href="{path(example)}{link}"' in first


def test_the_last_report_of_a_page_leads_back_to_the_page_before(ada, example):
    oldest = reported(example, "The oldest.")
    for number in range(REPORTS_A_PAGE):
        reported(example, f"No. {number:02d}.")
    response = ada.post(f"{done_path(example, oldest)}?page=2", follow=True)
    assert "No. 00." in response.content.decode()


@pytest.mark.parametrize("query", ["?page=x", "?page=-1", "?page=99999999999999999999", "?done=yes"])
def test_an_address_that_means_nothing_shows_open_reports(ada, example, query):
    report = reported(example)
    assert b"It is cut off." in ada.get(path(example) + query).content
    assert ada.post(done_path(example, report) + query, follow=True).status_code == 200


def test_the_projects_page_tells_admins_alone_how_many_are_open(client, example):
    report_resolve(report=reported(example), by=example.admin)
    reported(example, "One.")
    reported(example, "Two.")
    overview = reverse("feedback:project", args=[example.project.pk])
    for user, shown in ((example.admin, True), (example.annotator, False), (example.researcher, False)):
        client.force_login(user)
        page = " ".join(client.get(overview).content.decode().split())
        assert (path(example) in page) == shown
        assert ('Look at reported problems</a> <span class="muted num">2</span>' in page) == shown


def test_the_page_speaks_chinese(client, example):
    client.force_login(example.admin)
    reported(example)
    page = client.get(path(example), headers={"Accept-Language": "zh-hans"}).content.decode()
    assert "报告的问题" in page
    assert "标为已处理" in page
