import io
import stat

import pytest
from django.core.management import CommandError, call_command

from config.demo.people import LOGINS_FILE, PEOPLE, people_ensure
from config.demo.project import guidelines, project_ensure
from config.management.commands.prepare import refuse_demo_people
from feedback.domain.states import Role
from feedback.models import Membership, Project, User

pytestmark = pytest.mark.django_db


def passwords(home):
    return dict(line.split() for line in (home / LOGINS_FILE).read_text().splitlines())


def test_the_three_logins_work_and_only_their_owner_can_read_them(tmp_path, client):
    people_ensure(tmp_path)

    assert stat.S_IMODE((tmp_path / LOGINS_FILE).stat().st_mode) == 0o600
    assert set(passwords(tmp_path)) == set(PEOPLE)
    for name, password in passwords(tmp_path).items():
        assert client.login(username=name, password=password)
    assert len(set(passwords(tmp_path).values())) == 3


def test_setting_up_twice_changes_nothing(tmp_path):
    for _ in range(2):
        project_ensure(people_ensure(tmp_path))
        text = (tmp_path / LOGINS_FILE).read_text()

    assert (tmp_path / LOGINS_FILE).read_text() == text
    assert Project.objects.count() == 1
    assert Project.objects.get().rounds.count() == 1
    assert User.objects.filter(is_demo=True).count() == 3
    assert set(Membership.objects.values_list("user__username", "role")) == {
        ("annotator", Role.ANNOTATOR), ("admin", Role.ADMIN), ("researcher", Role.RESEARCHER),
    }  # fmt: skip


def test_a_lost_file_of_passwords_is_made_again(tmp_path, client):
    people_ensure(tmp_path)
    (tmp_path / LOGINS_FILE).unlink()

    people_ensure(tmp_path)

    assert client.login(username="admin", password=passwords(tmp_path)["admin"])


def test_demo_people_are_no_superusers(tmp_path):
    people_ensure(tmp_path)
    assert not User.objects.filter(is_superuser=True).exists()
    assert list(User.objects.filter(is_staff=True).values_list("username", flat=True)) == ["admin"]


def test_the_guidelines_tell_what_is_true_and_fit_a_protocol():
    text = guidelines()
    assert text.startswith("# What makes an answer good")
    assert "# Almanac of the valley" in text
    assert len(text) < 50_000


def test_a_public_site_refuses_demo_logins_until_they_are_closed(tmp_path):
    people_ensure(tmp_path)
    with pytest.raises(CommandError, match="retire_demo"):
        refuse_demo_people(demo=False)

    call_command("retire_demo", stdout=io.StringIO())

    refuse_demo_people(demo=False)
    with pytest.raises(CommandError):
        refuse_demo_people(demo=True)
