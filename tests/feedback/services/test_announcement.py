import datetime as dt

import pytest
from django.utils import timezone

from feedback.domain.errors import Conflict, Invalid
from feedback.selectors.person import announcements_unseen
from feedback.services.announcement import announcement_create, announcement_end, announcements_dismiss
from tests.feedback.factories import MembershipFactory, ProjectFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def annie(project):
    return MembershipFactory(project=project).user


def tell(project, text="Hello", **options):
    return announcement_create(project=project, text=text, by=project.created_by, **options)


def texts(project, user):
    return [announcement.text for announcement in announcements_unseen(project=project, user=user)]


def test_an_announcement_is_unseen_until_it_is_put_away(project, annie):
    tell(project, "First")
    second = tell(project, "Second")
    assert texts(project, annie) == ["First", "Second"]

    announcements_dismiss(project=project, user=annie, last_id=second.pk)

    assert texts(project, annie) == []
    assert texts(project, MembershipFactory(project=project).user) == ["First", "Second"]


def test_what_came_after_the_page_was_made_stays_unseen(project, annie):
    first = tell(project, "First")
    tell(project, "Second")

    announcements_dismiss(project=project, user=annie, last_id=first.pk)

    assert texts(project, annie) == ["Second"]


def test_putting_an_old_page_away_brings_nothing_back(project, annie):
    first, second = tell(project, "First"), tell(project, "Second")
    announcements_dismiss(project=project, user=annie, last_id=second.pk)

    announcements_dismiss(project=project, user=annie, last_id=first.pk)

    assert texts(project, annie) == []


def test_an_announcement_ends(project, annie):
    tell(project, "Over", ends_at=timezone.now() - dt.timedelta(minutes=1))
    shown = tell(project, "Going on", ends_at=timezone.now() + dt.timedelta(days=1))
    assert texts(project, annie) == ["Going on"]

    announcement_end(announcement=shown, by=project.created_by)

    assert texts(project, annie) == []
    with pytest.raises(Conflict):
        announcement_end(announcement=shown, by=project.created_by)


def test_announcements_of_another_project_are_neither_shown_nor_put_away(project, annie):
    own, other = tell(project, "Own"), tell(ProjectFactory(), "Other")
    later = tell(other.project, "Later")

    announcements_dismiss(project=project, user=annie, last_id=later.pk)

    assert texts(project, annie) == [own.text]
    assert texts(project, UserFactory()) == []


@pytest.mark.parametrize(("text", "says"), [("", "empty"), ("x" * 2_001, "2,000"), ("a\x00b", "cannot be stored")])
def test_a_bad_text_is_refused(project, text, says):
    with pytest.raises(Invalid, match=says):
        tell(project, text)
