import json

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from feedback.domain.errors import Conflict
from feedback.domain.protocol import SkipReason
from feedback.domain.states import AssignmentState, Role
from feedback.models import (
    ApiToken,
    Assignment,
    Conversation,
    Draft,
    Invitation,
    Judgment,
    Membership,
    Report,
    Transition,
    Turn,
    User,
)
from feedback.selectors.personal_data import personal_data
from feedback.services.assignment import assignment_claim, assignment_release
from feedback.services.erasure import ERASED, erasures_finish, person_erase
from feedback.services.invitation import invitation_accept, invitation_create
from feedback.services.person import token_create
from tests.feedback.factories import (
    BatchFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    PromptFactory,
    SnapshotFactory,
    TaskFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
SECRET = "zanzibar"
"""Stands in every text that the person wrote, and must be nowhere afterwards."""


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def admin(project):
    return MembershipFactory(project=project, user=project.created_by, role=Role.ADMIN).user


@pytest.fixture
def annie(project):
    return MembershipFactory(
        project=project,
        user__username=f"annie-{SECRET}",
        user__first_name=f"Annie {SECRET}",
        user__email=f"annie@{SECRET}.example",
        user__time_zone="Europe/Berlin",
        opted_out_tags=[SECRET],
    ).user


@pytest.fixture
def traces(project, admin, annie):
    """Leave every kind of trace that a person can leave."""
    judgment = JudgmentFactory(
        assignment__task=TaskFactory(project=project),
        assignment__annotator=annie,
        rationale=f"because {SECRET}",
        edited_answer=f"better {SECRET}",
        edited_item=1,
        active_s=12.0,
    )
    Report.objects.create(task=judgment.task, annotator=annie, text=SECRET)
    TaskFactory(project=project)
    skipped = assignment_claim(project=project, annotator=annie)
    assignment_release(assignment=skipped, annotator=annie, reason=SkipReason.OTHER, note=SECRET)
    TaskFactory(project=project)
    held = assignment_claim(project=project, annotator=annie)
    Draft.objects.create(assignment=held, fields={"rationale": [SECRET]})
    prompt = PromptFactory(
        project=project,
        messages=[
            {"role": "user", "content": f"I am {SECRET}"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": f"my {SECRET}"},
        ],
    )
    conversation = Conversation.objects.create(project=project, annotator=annie, batch=judgment.task.batch)
    Turn.objects.create(conversation=conversation, number=1, prompt=prompt)
    token_create(user=annie, name=SECRET)
    EmailAddress.objects.create(user=annie, email=annie.email)
    Authenticator.objects.create(user=annie, type="totp", data={"secret": SECRET})
    SocialAccount.objects.create(user=annie, provider="sso", uid=SECRET, extra_data={"name": SECRET})
    invitation_create(project=project, role=Role.ANNOTATOR, by=admin, email=annie.email)
    _, token = invitation_create(project=project, role=Role.ANNOTATOR, by=admin, email=f"old@{SECRET}.example")
    invitation_accept(token=token, user=annie)
    browser = Client()
    browser.force_login(annie)
    return judgment


def everything():
    """Return all rows of all tables as one text."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(str(row) for row in rows)


def test_no_text_of_theirs_is_left_in_any_table(traces, annie, admin):
    assert everything().count(SECRET) > 10

    person_erase(user=annie, by=admin)

    assert [line for line in everything().splitlines() if SECRET in line] == []
    assert not ApiToken.objects.exists()
    assert not Authenticator.objects.exists()
    assert not SocialAccount.objects.exists()
    assert not EmailAddress.objects.exists()
    assert not Session.objects.exists()


def test_judgments_stay_on_a_tombstone_that_nobody_can_use(traces, annie, admin, client):
    ranks, pk = traces.ranks, annie.pk

    person_erase(user=annie, by=admin)

    judgment = Judgment.objects.get()
    assert (judgment.annotator_id, judgment.ranks, judgment.active_s) == (pk, ranks, 12.0)
    assert (judgment.rationale, judgment.edited_answer, judgment.edited_item) == ("", "", None)
    assert (annie.username, annie.is_active, annie.has_usable_password()) == (f"erased-{pk}", False, False)
    assert annie.erased_at is not None
    assert not client.login(username=annie.username, password="a long enough secret")
    assert not Membership.objects.filter(user=annie, is_active=True).exists()


def test_what_they_held_goes_to_the_others_and_the_record_says_who_did_it(traces, annie, admin):
    person_erase(user=annie, by=admin)

    states = set(Assignment.objects.filter(annotator=annie).values_list("state", flat=True))
    assert AssignmentState.HELD not in states
    assert not Draft.objects.exists()
    gone = Transition.objects.get(object_type="feedback.user")
    assert (gone.object_id, gone.to_state, gone.actor) == (annie.pk, "erased", admin)
    assert Transition.objects.get(object_type="feedback.assignment", to_state="released").reason == "other"
    assert Conversation.objects.get().state == "ended"


def test_their_turns_are_replaced_and_the_policys_stay(traces, annie, admin):
    person_erase(user=annie, by=admin)

    messages = Turn.objects.get().prompt.messages
    assert [message["content"] for message in messages] == [ERASED, "Hello", ERASED]


def test_a_prompt_that_others_wrote_as_well_stays(project, traces, annie, admin):
    prompt = Turn.objects.get().prompt
    other = Conversation.objects.create(project=project, annotator=UserFactory(), batch=BatchFactory(project=project))
    Turn.objects.create(conversation=other, number=1, prompt=prompt)

    person_erase(user=annie, by=admin)

    assert SECRET in Turn.objects.filter(conversation=other).get().prompt.messages[0]["content"]


def test_snapshots_that_hold_texts_of_theirs_are_marked_and_others_are_not(project, traces, annie, admin):
    other = JudgmentFactory(assignment__task=TaskFactory(project=project), rationale="mine")
    with_text = SnapshotFactory(project=project, judgment_ids=[traces.pk, other.pk])
    without = SnapshotFactory(project=project, judgment_ids=[other.pk])

    person_erase(user=annie, by=admin)

    with_text.refresh_from_db()
    without.refresh_from_db()
    [erasure] = with_text.erasures
    assert set(erasure) == {"at", "what"}
    assert "written answers of 1" in erasure["what"]
    assert without.erasures == []
    assert Transition.objects.filter(object_type="feedback.snapshot", object_id=with_text.pk).exists()


def test_the_only_admin_of_a_project_stays_whole(traces, admin):
    with pytest.raises(Conflict, match="only admin"):
        person_erase(user=admin, by=admin)

    admin.refresh_from_db()
    assert (admin.erased_at, admin.is_active) == (None, True)
    assert not Transition.objects.filter(object_type="feedback.user").exists()


def test_nobody_is_erased_twice(annie, admin):
    person_erase(user=annie, by=admin)

    with pytest.raises(Conflict, match="already"):
        person_erase(user=annie, by=admin)


def test_a_site_admin_erases_by_command(annie, admin):
    username = annie.username
    User.objects.filter(pk=admin.pk).update(is_staff=True)
    with pytest.raises(CommandError, match="--yes"):
        call_command("person_erase", username, by=admin.username)
    with pytest.raises(CommandError, match="not an active site admin"):
        call_command("person_erase", username, by=username, yes=True)
    annie.refresh_from_db()
    assert annie.is_active

    call_command("person_erase", username, by=admin.username, yes=True)

    annie.refresh_from_db()
    assert not annie.is_active


def test_the_export_holds_what_they_wrote_and_no_secret(traces, annie):
    sections = {name: list(rows) for name, rows in personal_data(user=annie)}

    text = json.dumps(sections, default=str)
    for section in ("account", "keys", "roles", "judgments", "drafts", "reports", "conversation_turns", "deeds"):
        assert sections[section], section
        assert SECRET in json.dumps(sections[section], default=str) or section == "deeds"
    assert sections["judgments"][0]["ranks"] == traces.ranks
    for secret in (annie.password, ApiToken.objects.get().digest, Invitation.objects.first().token_sha256):
        assert secret not in text


def test_the_export_holds_nothing_of_others(traces, annie, project):
    JudgmentFactory(assignment__task=TaskFactory(project=project), rationale="of somebody else")

    sections = {name: list(rows) for name, rows in personal_data(user=annie)}

    assert len(sections["judgments"]) == 1
    assert "somebody else" not in json.dumps(sections, default=str)


def test_a_text_that_was_on_its_way_during_the_erasure_goes_too(project, annie, admin):
    person_erase(user=annie, by=admin)
    late = JudgmentFactory(assignment__task__project=project, assignment__annotator=annie, rationale="I, Annie, think")
    other = JudgmentFactory(assignment__task__project=project, rationale="Mine stays")

    assert erasures_finish() == 1
    late.refresh_from_db()
    other.refresh_from_db()
    assert (late.rationale, other.rationale) == ("", "Mine stays")
    assert erasures_finish() == 0
