"""Every page of the product with something on it: for tests that look at all of them.

`PAGES` names who looks at which address; `tests/test_tour.py` compares it with the URL resolver, so that a page without
an entry fails. `world()` makes what stands on the pages.
"""

import dataclasses
import datetime as dt
import re

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.apps import apps
from django.conf import settings
from django.contrib.auth import login
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory
from django.urls import URLResolver, get_resolver, reverse
from django.utils import timezone

from alignment.domain.states import DeploymentState, RoundState
from alignment.models import Deployment, Run
from feedback.domain.protocol import DEFAULT_DIMENSIONS, Editing, ProtocolKind, ProtocolOptions
from feedback.domain.states import ConversationState, Role, Standing, TurnState
from feedback.models import Conversation, Draft, Project, Report, Response, Turn, TurnAnswer, User
from feedback.services.announcement import announcement_create
from feedback.services.answering import turn_settle
from feedback.services.invitation import invitation_create
from feedback.services.person import token_create
from feedback.services.quality import quality_ask
from feedback.services.report import report_resolve
from feedback.services.standing import standing_set
from tests.example import ANSWERS, GUIDELINES, Example, example_lesson, example_project, example_rounds
from tests.feedback.factories import (
    AdjudicationFactory,
    AssignmentFactory,
    BatchFactory,
    HoldFactory,
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    PromptFactory,
    QualityReportFactory,
    SnapshotFactory,
    SourceFactory,
    TaskFactory,
    UserFactory,
)
from tests.quality_example import example_figures

NOBODY, ANNIE, ADA, ROSA, MONA, NOAH, PAUL = "", "annie", "ada", "rosa", "mona", "noah", "paul"
"""A visitor; an annotator with work in hand; an admin who may see the site's tables; a researcher; somebody with a
second factor; an annotator who has not begun, and one who is paused."""
TOURISTS = (ANNIE, ADA, ROSA, MONA, NOAH, PAUL)


@dataclasses.dataclass(frozen=True)
class Stop:
    """One look at one page."""

    who: str
    project: str = "harbour"
    places: tuple[tuple[str, object], ...] = ()
    query: str = ""


PAGES: dict[str, tuple[Stop, ...]] = {
    "api-docs": (Stop(NOBODY),),
    "account_login": (Stop(NOBODY),),
    "account_signup": (Stop(NOBODY),),
    "account_inactive": (Stop(NOBODY),),
    "account_reset_password": (Stop(NOBODY),),
    "account_reset_password_done": (Stop(NOBODY),),
    "account_reset_password_from_key": (Stop(NOBODY),),
    "account_reset_password_from_key_done": (Stop(NOBODY),),
    "account_reauthenticate": (Stop(ANNIE),),
    "account_change_password": (Stop(ANNIE),),
    "account_set_password": (Stop(ANNIE),),
    "mfa_index": (Stop(ANNIE), Stop(MONA)),
    "mfa_authenticate": (Stop(NOBODY),),
    "mfa_reauthenticate": (Stop(MONA),),
    "mfa_activate_totp": (Stop(ANNIE),),
    "mfa_deactivate_totp": (Stop(MONA),),
    "mfa_view_recovery_codes": (Stop(MONA),),
    "mfa_generate_recovery_codes": (Stop(MONA),),
    "socialaccount_connections": (Stop(ANNIE),),
    "socialaccount_signup": (Stop(NOBODY),),
    "socialaccount_login_cancelled": (Stop(NOBODY),),
    "socialaccount_login_error": (Stop(NOBODY),),
    "openid_connect_login": (Stop(NOBODY),),
    "openid_connect_callback": (Stop(NOBODY),),
    "account:login": (Stop(NOBODY, query="?next=/projects/1/"),),
    "account:profile": (Stop(ANNIE),),
    "account:tokens": (Stop(ADA),),
    "feedback:projects": (Stop(ANNIE), Stop(ADA), Stop(MONA)),
    "feedback:erase": (Stop(ANNIE),),
    "feedback:invitation": (Stop(NOBODY), Stop(MONA), Stop(NOBODY, places=(("token", "spent"),))),
    "feedback:project_new": (Stop(ADA),),
    "feedback:project": (Stop(ANNIE), Stop(ADA), Stop(ADA, "rate")),
    "feedback:project_settings": (Stop(ADA), Stop(ADA, "rate"), Stop(ADA, "live")),
    "feedback:prompts": (Stop(ADA),),
    "feedback:tasks": (
        Stop(ADA), Stop(ROSA), Stop(ADA, query="?words=river&state=open"), Stop(ADA, query="?state=adjudication"),
        Stop(ADA, query="?batch=x"), Stop(ADA, "done"),
    ),
    "feedback:task_history": (
        Stop(ADA), Stop(ROSA), Stop(ADA, "write", places=(("task_id", "task-write"),)),
    ),
    "feedback:gold": (Stop(ADA), Stop(ADA, "done")),
    "feedback:gold_new": (Stop(ADA),),
    "feedback:members": (Stop(ADA),),
    "feedback:annotator": (Stop(ADA), Stop(ADA, query="?datasets=1")),
    "feedback:adjudications": (Stop(ADA), Stop(ADA, "done")),
    "feedback:adjudication": (Stop(ADA), Stop(ADA, "pairwise", (("adjudication_id", "pair"),))),
    "feedback:announcements": (Stop(ADA),),
    "feedback:reports": (Stop(ADA), Stop(ADA, query="?done=1"), Stop(ADA, "rate")),
    "feedback:announcements_unseen": (Stop(ANNIE),),
    "feedback:label": (
        Stop(ANNIE), Stop(NOAH), Stop(PAUL), Stop(ADA), Stop(ANNIE, "pairwise"), Stop(ANNIE, "rate"),
        Stop(ANNIE, "write"), Stop(ANNIE, "live"), Stop(ANNIE, "done"),
    ),
    "feedback:correct": (Stop(ANNIE),),
    "feedback:last": (Stop(ANNIE),),
    "feedback:explained": (Stop(ANNIE, "done"),),
    "feedback:live": (Stop(ANNIE, "live"), Stop(ANNIE)),
    "feedback:live_state": tuple(
        Stop(ANNIE, "live", (("conversation_id", f"conversation-{state}"),))
        for state in ("answering", "ready", "judged", "unanswered", "ended")
    ),
    "feedback:work": (Stop(ANNIE), Stop(NOAH)),
    "feedback:quality": (
        Stop(ADA), Stop(ROSA, query="?sort=-weight"), Stop(ADA, "rate"), Stop(ADA, "done"),
    ),
    "feedback:quality_annotator": (Stop(ADA), Stop(ROSA, places=(("user_id", "spammer"),)), Stop(ADA, "done")),
    "feedback:data": (Stop(ROSA),),
    "alignment:build": (Stop(ANNIE), Stop(ADA, "done")),
    "alignment:rounds": (Stop(ADA), Stop(ROSA), Stop(ADA, "done")),
    "alignment:round": (Stop(ADA), Stop(ROSA), Stop(ADA, places=(("number", 0),))),
    "alignment:run": (Stop(ADA),),
    "alignment:version": (Stop(ADA),),
}  # fmt: skip
"""By URL name: who looks, in which project, at which object where it is not the usual one."""

NOT_PAGES = {
    "healthz": "a word for machines", "schema": "a file",
    "account_logout": "POST only", "account:logout": "POST only", "account:language": "POST only",
    "account:opt_out": "POST only", "account:token_revoke": "POST only", "mfa_download_recovery_codes": "a file",
    "feedback:person_data": "a file", "feedback:hours_csv": "a file", "feedback:preferences_file": "a file",
    "feedback:quality_csv": "a file", "feedback:quality_ask": "POST only",
    "feedback:judgments_file": "a file", "feedback:demonstrations_file": "a file",
    "feedback:invitation_accept": "POST only", "feedback:invitation_sign_up": "POST only",
    "feedback:invitation_create": "POST only", "feedback:invitation_revoke": "POST only",
    "feedback:gold_retire": "POST only", "feedback:gold_restore": "POST only",
    "feedback:annotator_standing": "POST only", "feedback:annotator_cap": "POST only",
    "feedback:annotator_block": "POST only", "feedback:annotator_dissolve": "POST only",
    "feedback:annotator_hold": "POST only", "feedback:adjudication_decide": "POST only",
    "feedback:member_remove": "POST only", "feedback:announcement_end": "POST only", "feedback:claim": "POST only",
    "feedback:report_resolve": "POST only", "feedback:tasks_act": "POST only", "feedback:batch_close": "POST only",
    "feedback:leases_expire": "POST only", "alignment:batch_reopen": "POST only",
    "feedback:submit": "POST only", "feedback:skip": "POST only", "feedback:draft": "POST only",
    "feedback:prefetch": "POST only", "feedback:report": "POST only", "feedback:opt_out": "POST only",
    "feedback:live_turn": "POST only", "feedback:live_judge": "POST only", "feedback:live_again": "POST only",
    "feedback:live_end": "POST only", "alignment:round_launch": "POST only", "alignment:rollback": "POST only",
    "alignment:round_deploy": "POST only", "alignment:round_reject": "POST only", "alignment:round_cancel": "POST only",
    "alignment:run_cancel": "POST only",
}  # fmt: skip

MISSING = "/no-such-page/"
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")  # of a route, and of a regular expression


def names_of_urls(resolver: URLResolver | None = None, namespace: str = "", path: str = "") -> dict[str, str]:
    """Return every URL's name with its route; the admin's and the API's own ones are left to their own walks."""
    found = {}
    for pattern in (resolver or get_resolver()).url_patterns:
        route = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found |= names_of_urls(
                pattern, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace, route
            )
        elif not route.startswith(("admin/", "api/v1/")):
            found[f"{namespace}{pattern.name}"] = route
    return found


def paths(places: dict[str, object], *, n_admin: int | None = None) -> list[tuple[str, str]]:
    """Return who looks at which address, of every page; of the site's tables, which are all alike, the first few."""
    stops = [(stop, name) for name, all_stops in PAGES.items() for stop in all_stops]
    found = [(stop.who, _path(name, stop, places)) for stop, name in stops]
    return [*found, (ADA, MISSING), *((ADA, path) for path in admin_paths()[:n_admin])]


def _path(name: str, stop: Stop, places: dict[str, object]) -> str:
    values = {**places, "project_id": places[stop.project], **dict(stop.places)}
    parameters = _PARAMETER.findall(names_of_urls()[name])
    chosen = {parameter: places.get(str(values[parameter]), values[parameter]) for parameter in parameters}
    return reverse(name, kwargs=chosen) + stop.query


def admin_paths() -> list[str]:
    """Return the pages of the site's tables: each list, and one row of each."""
    found = [reverse("admin:index"), reverse("admin:password_change")]
    for room in ("feedback", "alignment"):
        found.append(reverse("admin:app_list", args=[room]))
        for model in apps.get_app_config(room).get_models():
            table = f"admin:{room}_{model._meta.model_name}"
            found.append(reverse(f"{table}_changelist"))
            row = model.objects.first()
            found += [reverse(f"{table}_change", args=[row.pk])] if row is not None else []
    return found


def session_of(username: str) -> str:
    """Return the session key of somebody who has just signed in with their password."""
    user = User.objects.get(username=username)
    request = RequestFactory().get("/")
    request.session = SessionStore()
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    record_authentication(request, user, "password", username=username, reauthenticated=True)
    request.session.save()
    return request.session.session_key


# ---- What stands on the pages ---------------------------------------------------------------------------------------

RICH = """The **river path** takes `20 min`, see [the map](https://example.org/map).

| way | time |
| --- | ---: |
| path | 20 |

```python
def minutes(km: float) -> float:
    return km / 5 * 60  # on foot
```

It is $t = \\frac{s}{v}$, so

$$\\int_0^1 x^2 \\, dx = \\tfrac{1}{3}$$

> A long road is no shorter for being straight.

- one
- two

![a map](https://example.org/map.png)"""
RIGHT_TO_LEFT = "الطريق على طول النهر يستغرق **عشرين دقيقة** سيرًا على الأقدام.\n\n- أقصر\n- أجمل (river path)"
CHINESE = "沿河边的小路走二十分钟就到。"


def world() -> dict[str, object]:
    """Make all that the pages of the tour show, and return the places by name."""
    example = example_project(n_tasks=4)
    project, annie, ada = example.project, example.annotator, example.admin
    User.objects.filter(pk=ada.pk).update(is_superuser=True)
    for task, text in zip(example.tasks, (RICH, RIGHT_TO_LEFT, CHINESE, ANSWERS[0]), strict=True):
        Response.objects.filter(pk=task.items.get(item=0).response_id).update(text=text)
        task.prompt.tags = ["violence"]
        task.prompt.messages = [{"role": "system", "content": "You know the town."}, *task.prompt.messages]
        task.prompt.save()
    options = ProtocolOptions(warnings={"violence": "Some of it is about a fight."}, editing=Editing.MAY)
    project.protocols.update(options=options.to_json())
    round_ = example_rounds(example, state=RoundState.GATE, passed=False)
    Deployment.objects.create(
        project=project, version=round_.policy, state=DeploymentState.RETIRED, reason="It was better. " * 5, error="x"
    )
    held = AssignmentFactory(task=example.tasks[0], annotator=annie)
    done = annie.assignments.get(judgments__isnull=False)
    _annotate(example, held, done)
    for name in (MONA, NOAH):
        MembershipFactory(project=project, user=UserFactory(username=name))
    TOTP.activate(User.objects.get(username=MONA), generate_totp_secret())
    RecoveryCodes.activate(User.objects.get(username=MONA))
    token_create(user=ada, name="notebook")
    noah = User.objects.get(username=NOAH)
    QualityReportFactory(project=project, figures=example_figures(annie, noah).to_json(), last_judgment_id=1)
    _, token = invitation_create(project=project, role=Role.RESEARCHER, by=ada, email="mia@example.org")
    return {
        "harbour": project.pk, "number": 1, "run_id": Run.objects.get(purpose="policy").pk,
        "version_id": round_.policy_id, "assignment_id": done.pk, "token": token, "uidb36": "1", "key": "spent",
        "provider_id": "none", "conversation_id": 0, "task_id": done.task_id,
        "user_id": annie.pk, "spammer": noah.pk, **_other_projects(example), **_people(project, annie),
    }  # fmt: skip


def _people(project: Project, annie: User) -> dict[str, object]:
    """Add somebody who is paused, a burst and a block of the annotator's, and tasks on which two people disagree."""
    paused = MembershipFactory(project=project, user=UserFactory(username=PAUL))
    hold = HoldFactory(membership=annie.memberships.get(project=project))
    task = TaskFactory(project=project, open_slots=0)
    fast = JudgmentFactory(assignment__task=task, assignment__annotator=annie, counted=False, hold=hold)
    TaskFactory.create_batch(2, project=project, reserved_for=annie)
    standing_set(membership=paused, to=Standing.PAUSED, by=project.created_by, reason="Read the new guidelines first.")
    SnapshotFactory(project=project, judgment_ids=[fast.pk])
    pairwise = Project.objects.get(name="Project pairwise")
    return {
        "adjudication_id": _disagreement(project, 4, flags=[{"item": 2, "flag": "untrue"}]),
        "pair": _disagreement(pairwise, 2, strength=2),
    }


def _disagreement(project: Project, n_answers: int, **said: object) -> int:
    task = TaskFactory(project=project, n_answers=n_answers, overlap=2, open_slots=0, prompt__text=f"Why?\n\n{RICH}")
    order = list(range(n_answers))
    for way in (1, -1):
        JudgmentFactory(
            assignment__task=task,
            assignment__order=order[::way],
            ranks=[item + 1 for item in order[::way]],
            rationale="A is right. " * 8,
            **said,
        )
    return AdjudicationFactory(task=task).pk


def _annotate(example: Example, held: object, done: object) -> None:
    judgment = done.judgments.get()
    judgment.rationale, judgment.flags = "The first one is short.", [{"item": 1, "flag": "unsafe"}]
    judgment.edited_answer, judgment.edited_item = "Take the path.", 0
    judgment.active_s = 75
    judgment.save()
    Draft.objects.create(assignment=held, fields={"rank_A": ["1"], "rationale": ["I think"], "report": ["odd"]})
    Report.objects.create(task=held.task, annotator=example.annotator, text="The second answer is cut off.")
    seen = Report.objects.create(task=done.task, annotator=example.annotator, text="There are two answers in one.")
    report_resolve(report=seen, by=example.admin)
    announcement_create(project=example.project, text="**New guidelines** from Monday.", by=example.admin)
    announcement_create(
        project=example.project, text="Over.", by=example.admin, ends_at=timezone.now() + dt.timedelta(seconds=1)
    )


def _other_projects(example: Example) -> dict[str, object]:
    """Make a project of each other kind, with a task in the annotator's hands, and one without any work."""
    places: dict[str, object] = {}
    kinds = {
        "pairwise": (ProtocolKind.PAIRWISE, ProtocolOptions(dimensions=DEFAULT_DIMENSIONS, editing=Editing.MUST), 2),
        "rate": (ProtocolKind.RATE, ProtocolOptions(dimensions=DEFAULT_DIMENSIONS), 3),
        "write": (ProtocolKind.WRITE, ProtocolOptions(), 0),
        "live": (ProtocolKind.LIVE, ProtocolOptions(), 0),
        "done": (ProtocolKind.RANK, ProtocolOptions(), 0),
    }
    for name, (kind, options, n_answers) in kinds.items():
        project = ProjectFactory(
            name=f"Project {name}", created_by=example.admin, protocol__kind=kind,
            protocol__options=options.to_json(), protocol__guidelines=GUIDELINES,
        )  # fmt: skip
        MembershipFactory(project=project, user=example.annotator)
        MembershipFactory(project=project, user=example.admin, role=Role.ADMIN)
        places[name] = project.pk
        if name in {"pairwise", "rate", "write"}:
            task = TaskFactory(project=project, prompt__text=f"How far is it?\n\n{RICH}", n_answers=n_answers)
            AssignmentFactory(task=task, annotator=example.annotator)
            places[f"task-{name}"] = task.pk
        if name == "rate":
            quality_ask(project=project)
        if name == "done":
            places["lesson_id"] = example_lesson(project, example.annotator).pk
        if name == "live":
            places |= _conversations(project, example.annotator)
    return places


def _conversations(project: Project, annie: User) -> dict[str, object]:
    sources = [SourceFactory(project=project) for _ in range(2)]
    found = {}
    for state in (TurnState.ANSWERING, TurnState.READY, TurnState.JUDGED, TurnState.UNANSWERED, "ended"):
        conversation = Conversation.objects.create(
            project=project, annotator=annie, batch=project.batches.first() or BatchFactory(project=project)
        )
        conversation.sources.add(*sources)
        turn = Turn.objects.create(
            conversation=conversation, number=1, prompt=PromptFactory(project=project, text=f"Hello, {state}?")
        )
        for source, text in zip(sources, (RICH, CHINESE), strict=True):
            TurnAnswer.objects.create(turn=turn, source=source, text=text, is_whole=state != TurnState.ANSWERING)
        if state in {TurnState.READY, TurnState.JUDGED, "ended"}:
            turn_settle(turn_id=turn.pk)
            turn.refresh_from_db()
        if state == TurnState.JUDGED:
            JudgmentFactory(assignment=turn.task.assignments.get(), ranks=[1, 2])
            Turn.objects.filter(pk=turn.pk).update(state=TurnState.JUDGED)
        if state == TurnState.UNANSWERED:
            Turn.objects.filter(pk=turn.pk).update(state=state, error="One of the two policies does not answer.")
        if state == "ended":
            Conversation.objects.filter(pk=conversation.pk).update(state=ConversationState.ENDED)
        found[f"conversation-{state}"] = conversation.pk
    return found
