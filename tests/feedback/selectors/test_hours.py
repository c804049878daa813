import datetime as dt

import pytest

from feedback.models import Judgment
from feedback.selectors.hours import COLUMNS, hours_rows
from tests.feedback.factories import AssignmentFactory, JudgmentFactory, MembershipFactory, ProjectFactory, TaskFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


def person(project, username, time_zone="UTC"):
    return MembershipFactory(project=project, user__username=username, user__time_zone=time_zone).user


def judge(project, user, at, active_s=60.0, **options):
    judgment = JudgmentFactory(
        assignment__task=TaskFactory(project=project), assignment__annotator=user, active_s=active_s, **options
    )
    Judgment.objects.filter(pk=judgment.pk).update(created_at=dt.datetime.fromisoformat(at))
    return judgment


def days(project, **bounds):
    return [(row["annotator"], row["day"], row["n_judgments"]) for row in hours_rows(project=project, **bounds)]


def test_days_begin_at_midnight_where_the_annotator_lives(project):
    auckland = person(project, "aroha", "Pacific/Auckland")  # 13 hours ahead in November
    honolulu = person(project, "kai", "Pacific/Honolulu")  # 10 hours behind
    for user in (auckland, honolulu):
        judge(project, user, "2026-11-22T05:00+00:00")
        judge(project, user, "2026-11-22T12:00+00:00")

    assert days(project) == [
        ("aroha", "2026-11-22", 1),
        ("aroha", "2026-11-23", 1),
        ("kai", "2026-11-21", 1),
        ("kai", "2026-11-22", 1),
    ]


def test_the_time_on_skipped_tasks_is_paid_as_well(project):
    ann = person(project, "ann")
    judge(project, ann, "2026-11-22T12:00+00:00", active_s=60.0)
    for at, active_s in (("2026-11-22T13:00+00:00", 30.0), ("2026-11-23T13:00+00:00", 12.0)):
        AssignmentFactory(
            task=TaskFactory(project=project),
            annotator=ann,
            released_at=dt.datetime.fromisoformat(at),
            active_s=active_s,
        )

    rows = {row["day"]: row for row in hours_rows(project=project)}
    assert [(day, row["n_judgments"], row["n_skipped"], row["active_s"]) for day, row in rows.items()] == [
        ("2026-11-22", 1, 1, 90.0),
        ("2026-11-23", 0, 1, 12.0),
    ]


def test_a_day_on_which_the_clocks_change_is_one_day(project):
    berlin = person(project, "jo", "Europe/Berlin")
    # 25 October 2026 has 25 hours in Berlin: from 22:00 UTC of the day before until 23:00 UTC
    for at in ("2026-10-24T22:30+00:00", "2026-10-25T22:30+00:00"):
        judge(project, berlin, at)

    assert days(project) == [("jo", "2026-10-25", 2)]


def test_figures_of_a_day(project):
    user = person(project, "ann")
    first = judge(project, user, "2026-11-22T08:00+00:00", active_s=900.0)
    judge(project, user, "2026-11-22T09:00+00:00", active_s=600.0, counted=False)
    assignment = AssignmentFactory(annotator=user, task=TaskFactory(project=project))
    correction = JudgmentFactory(assignment=assignment, active_s=300.0, supersedes=first)
    Judgment.objects.filter(pk=correction.pk).update(created_at=dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC))

    [row] = hours_rows(project=project)

    assert list(row) == COLUMNS
    assert (row["n_judgments"], row["n_counted"], row["n_corrections"]) == (2, 1, 1)
    assert (row["active_s"], row["active_hours"], row["judgments_per_hour"]) == (1800.0, 0.5, 4.0)


def test_a_client_that_reports_no_time_has_no_throughput(project):
    judge(project, person(project, "ann"), "2026-11-22T08:00+00:00", active_s=None)

    [row] = hours_rows(project=project)

    assert (row["active_s"], row["judgments_per_hour"]) == (0.0, None)


def test_days_can_be_bounded(project):
    user = person(project, "ann", "Asia/Tokyo")
    for day in (20, 21, 22, 23):
        judge(project, user, f"2026-11-{day}T01:00+09:00")

    bounded = days(project, first=dt.date(2026, 11, 21), last=dt.date(2026, 11, 22))

    assert [day for _, day, _ in bounded] == ["2026-11-21", "2026-11-22"]


def test_work_in_other_projects_is_left_out_and_that_of_former_members_is_not(project):
    user = person(project, "ann")
    judge(project, user, "2026-11-22T08:00+00:00")
    judge(ProjectFactory(), user, "2026-11-22T08:00+00:00")
    user.memberships.update(is_active=False)

    assert days(project) == [("ann", "2026-11-22", 1)]
