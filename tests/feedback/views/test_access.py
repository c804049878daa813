"""Every page, as a whole and as a fragment, to each kind of person: shown, forbidden, or not even there."""

import pytest
from django.urls import get_resolver, reverse

from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import Role
from feedback.models import Report
from feedback.services.announcement import announcement_create
from tests.example import example_lesson, example_project, example_rounds
from tests.feedback.factories import (
    AdjudicationFactory,
    ConversationFactory,
    HoldFactory,
    MembershipFactory,
    ProjectFactory,
    ProtocolFactory,
)

pytestmark = pytest.mark.django_db

ANYBODY = {"annotator", "adjudicator", "researcher", "admin"}
PAGES = {
    "feedback:project": ANYBODY,
    "feedback:label": {"annotator"},
    "feedback:correct": {"annotator"},
    "feedback:explained": {"annotator"},
    "feedback:last": {"annotator"},
    "feedback:work": {"annotator"},
    "feedback:live": {"annotator"},
    "feedback:live_state": {"annotator"},
    "feedback:project_settings": {"admin"},
    "feedback:prompts": {"admin"},
    "feedback:gold": {"admin"},
    "feedback:gold_new": {"admin"},
    "feedback:tasks": {"admin", "researcher"},
    "feedback:task_history": {"admin", "researcher"},
    "feedback:members": {"admin"},
    "feedback:annotator": {"admin"},
    "feedback:adjudications": {"admin", "adjudicator"},
    "feedback:adjudication": {"admin", "adjudicator"},
    "feedback:hours_csv": {"admin"},
    "feedback:announcements": {"admin"},
    "feedback:announcements_unseen": ANYBODY,
    "feedback:reports": {"admin"},
    "feedback:quality": {"admin", "researcher"},
    "feedback:quality_annotator": {"admin", "researcher"},
    "feedback:quality_csv": {"admin", "researcher"},
    "feedback:data": {"admin", "researcher"},
    "feedback:preferences_file": {"admin", "researcher"},
    "feedback:judgments_file": {"admin", "researcher"},
    "feedback:demonstrations_file": {"admin", "researcher"},
    "alignment:build": ANYBODY,
    "alignment:rounds": {"admin", "researcher"},
    "alignment:round": {"admin", "researcher"},
    "alignment:run": {"admin", "researcher"},
    "alignment:version": {"admin", "researcher"},
}
ACTIONS = {
    "feedback:claim": {"annotator"},
    "feedback:submit": {"annotator"},
    "feedback:skip": {"annotator"},
    "feedback:draft": {"annotator"},
    "feedback:prefetch": {"annotator"},
    "feedback:report": {"annotator"},
    "feedback:opt_out": {"annotator"},
    "feedback:live_turn": {"annotator"},
    "feedback:live_judge": {"annotator"},
    "feedback:live_again": {"annotator"},
    "feedback:live_end": {"annotator"},
    "feedback:gold_retire": {"admin"},
    "feedback:gold_restore": {"admin"},
    "feedback:annotator_standing": {"admin"},
    "feedback:annotator_cap": {"admin"},
    "feedback:annotator_block": {"admin"},
    "feedback:annotator_dissolve": {"admin"},
    "feedback:annotator_hold": {"admin"},
    "feedback:adjudication_decide": {"admin", "adjudicator"},
    "feedback:member_remove": {"admin"},
    "feedback:invitation_create": {"admin"},
    "feedback:invitation_revoke": {"admin"},
    "feedback:announcement_end": {"admin"},
    "feedback:report_resolve": {"admin"},
    "feedback:quality_ask": {"admin", "researcher"},
    "feedback:tasks_act": {"admin"},
    "feedback:batch_close": {"admin"},
    "feedback:leases_expire": {"admin"},
    "alignment:batch_reopen": {"admin"},
    "account:opt_out": ANYBODY,
    "alignment:round_launch": {"admin"},
    "alignment:round_deploy": {"admin"},
    "alignment:round_reject": {"admin"},
    "alignment:round_cancel": {"admin"},
    "alignment:run_cancel": {"admin"},
    "alignment:rollback": {"admin"},
}
NO_PROJECT = {"feedback:projects", "feedback:project_new", "account:login", "account:logout", "account:tokens"}
NO_PROJECT |= {"account:token_revoke", "account:language", "account:profile", "feedback:person_data", "feedback:erase"}
NO_PROJECT |= {"feedback:invitation", "feedback:invitation_accept", "feedback:invitation_sign_up"}
ROLES = ["annotator", "researcher", "admin"]
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def example():
    example = example_project()
    example.lesson = example_lesson(example.project, example.annotator)
    example.round = example_rounds(example)
    example.announcement = announcement_create(project=example.project, text="Tea at four.", by=example.admin)
    example.assignment = example.annotator.assignments.latest("pk")
    example.report = Report.objects.create(task=example.tasks[0], annotator=example.annotator, text="It is cut off.")
    ProtocolFactory(project=example.project, kind=ProtocolKind.LIVE, created_by=example.admin)
    ProtocolFactory(project=example.project, created_by=example.admin)
    example.conversation = ConversationFactory(project=example.project, annotator=example.annotator)
    example.adjudication = AdjudicationFactory(task__project=example.project)
    example.hold = HoldFactory(membership=example.annotator.memberships.get())
    return example


def url_of(example, name):
    project = example.project.pk
    round_ = example.round
    conversation = [project, example.conversation.pk]
    arguments = {
        "feedback:live_state": conversation,
        "feedback:live_judge": conversation,
        "feedback:live_again": conversation,
        "feedback:live_end": conversation,
        "feedback:announcement_end": [project, example.announcement.pk],
        "feedback:report_resolve": [project, example.report.pk],
        "feedback:quality_annotator": [project, example.annotator.pk],
        **{
            f"feedback:annotator{act}": [project, example.annotator.pk]
            for act in ("", "_standing", "_cap", "_block", "_dissolve")
        },
        "feedback:annotator_hold": [project, example.annotator.pk, example.hold.pk],
        "feedback:adjudication": [project, example.adjudication.pk],
        "feedback:adjudication_decide": [project, example.adjudication.pk],
        "feedback:correct": [project, example.assignment.pk],
        "feedback:gold_retire": [project, example.lesson.task.gold.pk],
        "feedback:gold_restore": [project, example.lesson.task.gold.pk],
        "feedback:explained": [project, example.lesson.pk],
        "feedback:task_history": [project, example.tasks[0].pk],
        "feedback:batch_close": [project, 1],
        "alignment:batch_reopen": [project, 1],
        "alignment:round": [project, 1],
        "alignment:round_deploy": [project, 1],
        "alignment:round_reject": [project, 1],
        "alignment:round_cancel": [project, 1],
        "alignment:run": [project, 1, round_.runs.first().pk],
        "alignment:run_cancel": [project, 1, round_.runs.first().pk],
        "alignment:version": [project, round_.policy_id],
    }
    return reverse(name, args=arguments.get(name, [project]))


def names_of_pages():
    resolver = get_resolver()
    for namespace in ("feedback", "alignment", "account"):
        _, inner = next(
            found.namespace_dict[namespace] for found in _resolvers(resolver) if namespace in found.namespace_dict
        )
        yield from (f"{namespace}:{key}" for key in inner.reverse_dict if isinstance(key, str))


def _resolvers(resolver):
    yield resolver
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _resolvers(pattern)


def test_every_page_stands_in_the_tables_of_this_test():
    assert set(names_of_pages()) == {*PAGES, *ACTIONS, *NO_PROJECT}


@pytest.mark.parametrize("role", ROLES)
def test_members_see_what_their_role_opens(client, example, role):
    client.force_login(getattr(example, role))
    answered = {name: client.get(url_of(example, name)).status_code for name in PAGES}
    assert answered == {name: 200 if role in roles else 403 for name, roles in PAGES.items()}


def test_htmx_gets_the_part_without_the_frame(client, example):
    for name, roles in PAGES.items():
        if name.endswith(("_file", "_csv")):
            continue
        client.force_login(example.annotator if "annotator" in roles else example.admin)
        whole = client.get(url_of(example, name))
        part = client.get(url_of(example, name), **HTMX)
        assert part.status_code in {200, 286}, name
        assert b"<html" in whole.content, name
        assert b"<html" not in part.content, name
        assert "HX-Request" in whole["Vary"], name


def test_strangers_do_not_learn_that_a_project_exists(client, example):
    client.force_login(example.stranger)
    assert {name: client.get(url_of(example, name)).status_code for name in PAGES} == dict.fromkeys(PAGES, 404)
    assert {name: client.post(url_of(example, name)).status_code for name in ACTIONS} == dict.fromkeys(ACTIONS, 404)


def test_visitors_are_sent_to_sign_in(client, example):
    responses = [client.get(url_of(example, name)) for name in PAGES]
    responses += [client.post(url_of(example, name)) for name in ACTIONS]
    assert {response.status_code for response in responses} == {302}
    assert all(response["Location"].startswith(reverse("account:login")) for response in responses)


@pytest.mark.parametrize("role", ROLES)
def test_members_without_the_right_cannot_act(client, example, role):
    client.force_login(getattr(example, role))
    forbidden = [name for name, roles in ACTIONS.items() if role not in roles]
    answered = {name: client.post(url_of(example, name)).status_code for name in forbidden}
    assert answered == dict.fromkeys(forbidden, 403)


def test_nothing_is_changed_by_following_a_link(client, example):
    client.force_login(example.admin)
    answered = {name: client.get(url_of(example, name)).status_code for name in ACTIONS}
    assert answered == dict.fromkeys(ACTIONS, 405)


def test_another_persons_assignment_is_not_there(client, example):
    client.force_login(example.annotator)
    response = client.post(reverse("feedback:submit", args=[example.project.pk]), {"assignment": 10**9})
    assert response.status_code == 404


def test_objects_of_another_project_are_not_found_through_ones_own(client, example):
    own = ProjectFactory()
    MembershipFactory(project=own, user=example.stranger, role=Role.ADMIN)
    MembershipFactory(project=own, user=example.stranger, role=Role.ANNOTATOR)
    assignment = example.assignment
    client.force_login(example.stranger)
    run = example.round.runs.first()
    foreign = [
        reverse("alignment:round", args=[own.pk, 1]),
        reverse("alignment:run", args=[own.pk, 1, run.pk]),
        reverse("alignment:version", args=[own.pk, example.round.policy_id]),
        reverse("feedback:correct", args=[own.pk, assignment.pk]),
        reverse("feedback:explained", args=[own.pk, example.lesson.pk]),
        reverse("feedback:task_history", args=[own.pk, assignment.task_id]),
        reverse("feedback:live_state", args=[own.pk, example.conversation.pk]),
        reverse("feedback:quality_annotator", args=[own.pk, example.annotator.pk]),
    ]
    assert [client.get(url).status_code for url in foreign] == [404] * len(foreign)
    acts = {
        reverse("feedback:submit", args=[own.pk]): {"assignment": assignment.pk},
        reverse("feedback:skip", args=[own.pk]): {"assignment": assignment.pk},
        reverse("feedback:report", args=[own.pk]): {"assignment": assignment.pk, "report": "mine"},
        reverse("feedback:opt_out", args=[own.pk]): {"assignment": assignment.pk},
        reverse("feedback:live_turn", args=[own.pk]): {"conversation": example.conversation.pk, "text": "mine"},
        **{
            reverse(f"feedback:live_{act}", args=[own.pk, example.conversation.pk]): {}
            for act in ("judge", "again", "end")
        },
        reverse("feedback:report_resolve", args=[own.pk, example.report.pk]): {},
        reverse("alignment:round_deploy", args=[own.pk, 1]): {"reason": "mine"},
        reverse("alignment:run_cancel", args=[own.pk, 1, run.pk]): {},
        reverse("alignment:rollback", args=[own.pk]): {"version": example.round.policy_id, "reason": "mine"},
    }
    assert [client.post(url, data).status_code for url, data in acts.items()] == [404] * len(acts)
