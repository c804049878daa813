import pytest

from feedback.domain.errors import Invalid, NotAllowed
from feedback.models import Report
from feedback.selectors.report import report_list
from feedback.services.report import report_add, report_resolve
from tests.feedback.factories import AssignmentFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_report_waits_until_somebody_has_looked_at_it():
    assignment = AssignmentFactory()
    project = assignment.task.project
    report = report_add(assignment=assignment, annotator=assignment.annotator, text=" The picture is missing. ")

    assert [(found.text, found.task) for found in report_list(project=project)] == [
        ("The picture is missing.", assignment.task)
    ]
    first, second = UserFactory(), UserFactory()
    report_resolve(report=report, by=first)
    report_resolve(report=report, by=second)

    assert (report.resolved_by, list(report_list(project=project))) == (first, [])
    assert list(report_list(project=project, is_done=True)) == [report]


def test_the_same_report_twice_is_one():
    assignment = AssignmentFactory()
    for _ in range(2):
        report_add(assignment=assignment, annotator=assignment.annotator, text="Broken.")

    assert Report.objects.count() == 1


def test_an_empty_or_endless_report_or_one_on_anothers_task_is_refused():
    assignment = AssignmentFactory()

    for text in ("", " ", "x" * 2_001, "a\x00"):
        with pytest.raises(Invalid):
            report_add(assignment=assignment, annotator=assignment.annotator, text=text)
    with pytest.raises(NotAllowed):
        report_add(assignment=assignment, annotator=UserFactory(), text="Broken.")
    assert not Report.objects.exists()
