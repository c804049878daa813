import datetime as dt

import pytest

from feedback.domain.states import BatchState
from feedback.models import Judgment
from feedback.selectors.work import DayCount, own_hours, own_judgments
from tests.feedback.factories import BatchFactory, JudgmentFactory, ProjectFactory, TaskFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def ann():
    return UserFactory(time_zone="Asia/Shanghai")


def judge(project, annotator, *, at=None, task=None, **more):
    judgment = JudgmentFactory(
        assignment__task=task or TaskFactory(project=project), assignment__annotator=annotator, **more
    )
    if at is not None:
        Judgment.objects.filter(pk=judgment.pk).update(created_at=at)
    return judgment


def test_ones_own_judgments_are_listed_newest_first_page_by_page(project, ann):
    mine = [judge(project, ann) for _ in range(5)]
    judge(project, UserFactory())
    judge(ProjectFactory(), ann)

    first = own_judgments(project=project, annotator=ann, before=None, limit=3)
    rest = own_judgments(project=project, annotator=ann, before=first[-1].judgment.pk, limit=3)

    assert [work.judgment for work in first + rest] == mine[::-1]
    assert first[0].when == mine[-1].created_at


def test_a_corrected_judgment_stands_once_as_it_was_corrected(project, ann):
    first = judge(project, ann)
    second = JudgmentFactory(assignment=first.assignment, supersedes=first)

    assert [work.judgment for work in own_judgments(project=project, annotator=ann, before=None)] == [second]


def test_what_may_be_corrected_follows_from_the_batch(project, ann):
    closed = BatchFactory(project=project, state=BatchState.CLOSED)
    judge(project, ann, task=TaskFactory(project=project, batch=closed, prompt__text="word\n" * 100))
    judge(project, ann)

    newest, older = own_judgments(project=project, annotator=ann, before=None)

    assert (newest.may_correct, older.may_correct) == (True, False)
    assert older.excerpt.startswith("word word word")
    assert len(older.excerpt) <= 160


def test_the_list_needs_one_query(project, ann, django_assert_num_queries):
    for _ in range(5):
        judge(project, ann)

    with django_assert_num_queries(1):
        for work in own_judgments(project=project, annotator=ann, before=None):
            assert work.judgment.assignment.order == [0, 1]


def test_days_begin_in_the_persons_own_time_zone(project, ann):
    utc = dt.UTC
    judge(project, ann, at=dt.datetime(2026, 3, 1, 15, 59, tzinfo=utc), active_s=10)
    evening = judge(project, ann, at=dt.datetime(2026, 3, 1, 16, 1, tzinfo=utc), active_s=20.5)
    judge(project, ann, at=dt.datetime(2026, 3, 2, 15, 59, tzinfo=utc))
    correction = JudgmentFactory(assignment=evening.assignment, supersedes=evening, active_s=5)
    Judgment.objects.filter(pk=correction.pk).update(created_at=dt.datetime(2026, 3, 2, 9, tzinfo=utc))
    judge(project, UserFactory(), at=dt.datetime(2026, 3, 1, 12, tzinfo=utc), active_s=99)

    assert own_hours(project=project, annotator=ann) == [
        DayCount(dt.date(2026, 3, 2), 2, 25.5),
        DayCount(dt.date(2026, 3, 1), 1, 10.0),
    ]
