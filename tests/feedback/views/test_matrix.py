"""Every URL and API call x every role and no role x own and foreign project: what is not listed as allowed is refused.

The tables of pages are those of test_access. The test walks the URL resolver: a URL without an entry fails it.
"""

import dataclasses

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from feedback.domain.states import Role
from feedback.services.announcement import announcement_create
from feedback.services.invitation import invitation_create
from feedback.services.person import member_add, member_remove, token_create
from tests.example import example_lesson
from tests.feedback.factories import (
    HoldFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    TaskFactory,
    UserFactory,
)
from tests.feedback.views.test_access import ACTIONS, NO_PROJECT, PAGES
from tests.feedback.views.test_access import example as example  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.django_db

WATCH = {"admin", "researcher"}
API = {
    "api-claim": {"POST": {"annotator"}},
    "api-prefetch": {"POST": {"annotator"}},
    "api-work": {"GET": {"annotator"}},
    "api-assignment": {"GET": {"annotator"}},
    "api-draft": {"GET": {"annotator"}, "PUT": {"annotator"}},
    "api-skip": {"POST": {"annotator"}},
    "api-report": {"POST": {"annotator"}},
    "api-judgment": {"POST": {"annotator"}},
    "api-conversations": {"POST": {"annotator"}},
    "api-conversation": {"GET": {"annotator"}},
    "api-turns": {"POST": {"annotator"}},
    "api-turn-skip": {"POST": {"annotator"}},
    "api-turn-again": {"POST": {"annotator"}},
    "api-conversation-end": {"POST": {"annotator"}},
    "api-prompts": {"POST": {"admin"}},
    "api-gold": {"POST": {"admin"}},
    "api-preferences": {"GET": WATCH},
    "api-demonstrations": {"GET": WATCH},
    "api-judgments": {"GET": WATCH},
    "api-quality": {"GET": WATCH},
    "api-rounds": {"GET": WATCH, "POST": {"admin"}},
    "api-round": {"GET": WATCH},
    "api-round-deploy": {"POST": {"admin"}},
    "api-round-reject": {"POST": {"admin"}},
    "api-round-cancel": {"POST": {"admin"}},
}
"""What needs a role in the project; every other method is refused to everybody."""
OF_ASSIGNMENT = {"api-assignment", "api-draft", "api-skip", "api-report", "api-judgment"}
"""Whose project follows from the assignment."""
API_SIGNED_IN = {"api-projects"}
"""Lists what is one's own."""
SIGNED_IN = {
    "feedback:projects", "feedback:project_new", "feedback:person_data", "feedback:erase", "feedback:invitation_accept",
    "account:profile", "account:tokens", "account:token_revoke", "account_change_password", "account_set_password",
    "account_reauthenticate", "mfa_index", "mfa_authenticate", "mfa_reauthenticate", "mfa_activate_totp",
    "mfa_deactivate_totp", "mfa_view_recovery_codes", "mfa_generate_recovery_codes", "mfa_download_recovery_codes",
    "socialaccount_connections", "socialaccount_signup",
}  # fmt: skip
"""About oneself: visitors are sent to sign in, or refused."""
EVERYBODY = {
    "healthz", "schema", "api-docs", "account:login", "account:logout", "account:language", "account_login",
    "account_logout", "account_signup", "account_inactive", "account_reset_password", "account_reset_password_done",
    "account_reset_password_from_key", "account_reset_password_from_key_done", "feedback:invitation",
    "feedback:invitation_sign_up", "socialaccount_login_cancelled", "socialaccount_login_error",
    "openid_connect_login", "openid_connect_callback",
}  # fmt: skip
"""Shows nothing of any project; an invitation shows the name of the one that it is for."""
ROLES = [str(role) for role in Role]
OUTSIDERS = ["nobody", "former"]
"""Signed in without a role, and with one that was taken away."""
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOT_SAFE = ("POST", "PUT", "PATCH", "DELETE")


@dataclasses.dataclass(frozen=True)
class Url:
    name: str
    params: frozenset[str]


def walk(resolver=None, namespace="", params=frozenset()):
    """Yield every URL below a resolver, with the names of what stands in it."""
    for pattern in (resolver or get_resolver()).url_patterns:
        inner = params | set(pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace, inner)
        else:
            assert pattern.name or namespace == "admin:", f"{pattern} has no name, so no table can hold it"
            yield Url(f"{namespace}{pattern.name}", frozenset(inner))


URLS = {url.name: url for url in walk()}
OURS = {name: url for name, url in URLS.items() if not name.startswith("admin:")}
OF_PROJECT = sorted({*PAGES, *ACTIONS})


class World:
    """People in each role of the example's project, and in each role of a project of their own."""

    def __init__(self, example):
        self.project, self.foreign = example.project, ProjectFactory()
        self.people = {role: MembershipFactory(project=self.project, user__username=role).user for role in ROLES}
        for role, user in self.people.items():
            user.memberships.update(role=role)
        self.people["nobody"] = UserFactory(username="nobody")
        self.people["former"] = UserFactory(username="former")
        for role in Role:
            member_add(project=self.project, user=self.people["former"], role=role, by=None)
        member_remove(project=self.project, user=self.people["former"], by=None)
        self.strangers = {role: UserFactory(username=f"foreign-{role}") for role in ROLES}
        for role, user in self.strangers.items():
            member_add(project=self.foreign, user=user, role=Role(role), by=None)
        self.everything = UserFactory(username="foreign-everything")
        for role in Role:
            member_add(project=self.foreign, user=self.everything, role=role, by=None)
        # What the annotator alone has: judgments, and the conversation.
        lesson = example_lesson(self.project, self.people["annotator"])
        judged = JudgmentFactory(
            assignment__task=TaskFactory(project=self.project), assignment__annotator=self.people["annotator"]
        )
        example.conversation.annotator = self.people["annotator"]
        example.conversation.save()
        _, token = invitation_create(project=self.project, role=Role.ANNOTATOR, by=example.admin)
        self.objects = {
            "project_id": self.project.pk,
            "assignment_id": judged.assignment_id,
            "lesson_id": lesson.pk,
            "gold_id": lesson.task.gold.pk,
            "announcement_id": announcement_create(project=self.project, text="Tea", by=example.admin).pk,
            "report_id": example.report.pk,
            "user_id": self.people["annotator"].pk,
            "task_id": example.tasks[0].pk,
            "adjudication_id": example.adjudication.pk,
            "hold_id": HoldFactory(membership=self.people["annotator"].memberships.get()).pk,
            "conversation_id": example.conversation.pk,
            "number": 1,
            "run_id": example.round.runs.first().pk,
            "version_id": example.round.policy_id,
            "token": token,
            "uidb36": "1",
            "key": "set-password",
            "provider_id": "sso",
        }

    def url(self, name, **other):
        return reverse(name, kwargs={key: {**self.objects, **other}[key] for key in URLS[name].params})


@pytest.fixture
def world(example):
    return World(example)


def browser(user=None):
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def program(user):
    _, key = token_create(user=user, name="matrix")
    return Client(headers={"Authorization": f"Token {key}"}, raise_request_exception=False)


def ask(client, method, url):
    """Return the answer's status and where it leads; whatever the request changed is undone."""
    with transaction.atomic():
        response = client.generic(method, url)
        transaction.set_rollback(True)
    return response.status_code, response.headers.get("Location", "")


def is_refused(answer):
    status, location = answer
    return status in {401, 403, 404, 405, 410} or location.startswith((reverse("account_login"), "/admin/login/"))


def test_every_url_stands_in_a_table():
    tables = [set(PAGES), set(ACTIONS), set(API), API_SIGNED_IN, SIGNED_IN, EVERYBODY]
    listed = set().union(*tables)
    assert set(OURS) - listed == set(), "add new URLs to the table of whoever may use them"
    assert listed - set(OURS) == set(), "these are in a table and no URL"
    assert sum(map(len, tables)) == len(listed), "a URL stands in two tables"
    assert NO_PROJECT <= SIGNED_IN | EVERYBODY
    assert {url.name for url in OURS.values() if "project_id" in url.params} == {
        *PAGES, *ACTIONS, *(set(API) - OF_ASSIGNMENT),
    }  # fmt: skip


@pytest.mark.parametrize("role", [*ROLES, *OUTSIDERS])
def test_pages_open_for_the_listed_roles_alone(world, role):
    client = browser(world.people[role])
    answered = {name: ask(client, "GET", world.url(name))[0] for name in PAGES}
    closed = 404 if role in OUTSIDERS else 403
    assert answered == {name: 200 if role in roles else closed for name, roles in PAGES.items()}


@pytest.mark.parametrize("role", [*ROLES, *OUTSIDERS])
def test_actions_are_for_the_listed_roles_alone(world, role):
    client = browser(world.people[role])
    answered = {name: ask(client, "POST", world.url(name))[0] for name in ACTIONS}
    closed = 404 if role in OUTSIDERS else 403
    refused = {name: status for name, status in answered.items() if role not in ACTIONS[name]}
    assert refused == dict.fromkeys(refused, closed)
    assert [name for name, status in answered.items() if role in ACTIONS[name] and status == 403] == []


@pytest.mark.parametrize("role", ROLES)
def test_no_role_in_another_project_opens_anything(world, role):
    client = browser(world.strangers[role])
    answered = {name: ask(client, "GET", world.url(name))[0] for name in PAGES}
    answered |= {name: ask(client, "POST", world.url(name))[0] for name in ACTIONS}
    assert answered == dict.fromkeys(answered, 404)


def test_objects_of_a_project_are_not_reached_through_the_address_of_ones_own(world):
    client = browser(world.everything)
    with_object = [name for name in OF_PROJECT if len(URLS[name].params) > 1]
    assert len(with_object) > 10
    answered = {
        name: ask(client, "GET" if name in PAGES else "POST", world.url(name, project_id=world.foreign.pk))[0]
        for name in with_object
    }
    assert answered == dict.fromkeys(with_object, 404)


def test_a_link_never_changes_anything(world):
    client = browser(world.people["admin"])
    answered = {name: ask(client, "GET", world.url(name))[0] for name in ACTIONS}
    assert answered == dict.fromkeys(ACTIONS, 405)


def test_visitors_are_sent_to_sign_in_or_refused(world):
    client = browser()
    for name in (*OF_PROJECT, *SIGNED_IN):
        for method in ("GET", "POST"):
            assert is_refused(ask(client, method, world.url(name))), (method, name)


def test_what_is_for_everybody_says_nothing_of_a_project_but_its_name_to_who_is_invited(world):
    client = browser()
    for name in EVERYBODY:
        response = client.get(world.url(name), follow=False)
        if name != "feedback:invitation" and not response.streaming:
            assert world.project.name not in response.content.decode(), name


@pytest.mark.parametrize("role", [*ROLES, *OUTSIDERS])
def test_calls_are_for_the_listed_roles_alone(world, role):
    client = program(world.people[role])
    for name, methods in API.items():
        for method in METHODS:
            status, _ = ask(client, method, world.url(name))
            if role in methods.get(method, ()):
                assert status not in {401, 403, 404, 405}, (method, name, status)
            elif method in methods:
                assert status == (404 if role in OUTSIDERS else 403), (method, name, status)
            else:
                assert status == 405, (method, name, status)


@pytest.mark.parametrize("role", ROLES)
def test_no_role_in_another_project_calls_anything(world, role):
    client = program(world.strangers[role])
    for name, methods in API.items():
        for method in methods:
            assert ask(client, method, world.url(name))[0] == 404, (method, name)


def test_calls_through_ones_own_project_do_not_reach_objects_of_another(world):
    client = program(world.everything)
    for name in ("api-round", "api-round-deploy", "api-round-reject", "api-round-cancel"):
        for method in API[name]:
            assert ask(client, method, world.url(name, project_id=world.foreign.pk))[0] == 404, (method, name)


def test_calls_need_a_key_and_a_session_is_none(world):
    for client in (browser(), browser(world.people["admin"])):
        for name in {*API, *API_SIGNED_IN}:
            for method in METHODS:
                assert ask(client, method, world.url(name))[0] == 401, (method, name)


def test_everybody_lists_their_own_projects_alone(world):
    for role, user in world.people.items():
        listed = [project["id"] for project in program(user).get(reverse("api-projects")).json()]
        assert listed == ([] if role in OUTSIDERS else [world.project.pk]), role


def test_the_sites_tables_are_for_site_admins(world):
    for client in [browser(), *map(browser, world.people.values())]:
        for name, url in URLS.items():
            if not name.startswith("admin:") or name in {"admin:None", "admin:login", "admin:logout"}:
                continue
            values = {"object_id": "1", "content_type_id": "1", "app_label": "feedback"}
            path = reverse(name, kwargs={key: values[key] for key in url.params if key in values})
            for method in ("GET", "POST"):
                assert is_refused(ask(client, method, path)), (method, name)
