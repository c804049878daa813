"""Forgetting a person: what they wrote and who they are goes, what they judged stays on a tombstone.

Ranks, ratings, flags and working times stay, since datasets and pay rest on them; so do guidelines, announcements and
decisions, which a person wrote for the project and not about themselves. Snapshots are immutable: those that pinned a
text of the person's are marked, and whoever keeps copies of their files can see which ones to drop. (Rationales are in
no file, but a snapshot's sha256 covers them.)
"""

import datetime as dt

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from feedback.domain.errors import Conflict
from feedback.domain.messages import messages_sha256
from feedback.domain.states import AssignmentState, ConversationState
from feedback.models import (
    ApiToken,
    Assignment,
    Conversation,
    Draft,
    Invitation,
    Judgment,
    Membership,
    Project,
    Prompt,
    Report,
    Snapshot,
    Task,
    Transition,
    Turn,
    User,
)
from feedback.services.person import member_remove
from feedback.services.transition import transition, transition_log

ERASED = "[erased]"
"""Stands where the person's own turns of a conversation stood."""


def person_erase(*, user: User, by: User | None) -> None:
    """Erase a person, all of it or nothing.

    Raises: Conflict when they are the only admin of a project, or were erased before.
    """
    now = timezone.now()
    with transaction.atomic():
        if not User.objects.filter(pk=user.pk, erased_at=None).update(erased_at=now, is_active=False):
            raise Conflict(_("This person was erased already."))
        _leave_projects(user, by)
        prompts = _prompts_written(user)
        _mark_snapshots(user, prompts, by, now)
        _erase_judged(user)
        _erase_prompts(prompts)
        _erase_account(user)
        transition_log(obj=user, from_state="active", to_state="erased", actor=by)
    user.refresh_from_db()


def erasures_finish() -> int:
    """Take away what requests that ran while their author was erased stored afterwards; return how many texts."""
    late = Judgment.objects.filter(annotator__erased_at__isnull=False).exclude(rationale="", edited_answer="")
    return late.update(rationale="", edited_answer="", edited_item=None)


def _leave_projects(user: User, by: User | None) -> None:
    own = Membership.objects.filter(user=user)
    for project in Project.objects.filter(memberships__in=own.filter(is_active=True)).distinct():
        member_remove(project=project, user=user, by=by)
    own.update(opted_out_tags=[], announcements_seen_at=None)
    for conversation in Conversation.objects.filter(annotator=user, state=ConversationState.GOING):
        transition(obj=conversation, to=ConversationState.ENDED, actor=by, reason="the person was erased")


def _prompts_written(user: User) -> list[Prompt]:
    """Return the prompts that hold turns of this person's, and of nobody else's."""
    own = Turn.objects.filter(conversation__annotator=user)
    others = Turn.objects.exclude(conversation__annotator=user)
    tasks = Task.objects.exclude(pk__in=own.exclude(task=None).values("task"))
    shared = Q(pk__in=others.values("prompt")) | Q(pk__in=tasks.values("prompt"))
    return list(Prompt.objects.filter(pk__in=own.values("prompt")).exclude(shared))


def _mark_snapshots(user: User, prompts: list[Prompt], by: User | None, now: dt.datetime) -> None:
    texts = {
        "rationales": Judgment.objects.filter(annotator=user).exclude(rationale=""),
        "written answers": Judgment.objects.filter(annotator=user).exclude(edited_answer=""),
        "conversation turns": Judgment.objects.filter(task__prompt__in=prompts),
    }
    judged = {what: set(rows.values_list("pk", flat=True)) for what, rows in texts.items()}
    projects = Judgment.objects.filter(annotator=user).values("task__project")
    for snapshot in Snapshot.objects.filter(project__in=projects).order_by("pk"):
        pinned = set(snapshot.judgment_ids)
        counts = {what: len(ids & pinned) for what, ids in judged.items()}
        if not any(counts.values()):
            continue
        what = ", ".join(f"{name} of {n}" for name, n in counts.items() if n) + " judgments"
        snapshot.erasures = [*snapshot.erasures, {"at": now.isoformat(), "what": what}]
        snapshot.save(update_fields=["erasures"])
        transition_log(obj=snapshot, from_state="pinned", to_state="erasure noted", actor=by, reason=what)


def _erase_judged(user: User) -> None:
    own = Assignment.objects.filter(annotator=user)
    Judgment.objects.filter(annotator=user).update(rationale="", edited_answer="", edited_item=None)
    Draft.objects.filter(assignment__in=own).delete()
    Report.objects.filter(annotator=user).delete()
    # "other: a note" becomes "other": why tasks were given back stays countable.
    skips = Transition.objects.filter(
        actor=user, object_type="feedback.assignment", to_state=AssignmentState.RELEASED, reason__contains=":"
    )
    for skip in skips:
        skip.reason = skip.reason.partition(":")[0]
        skip.save(update_fields=["reason"])


def _erase_prompts(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        prompt.messages = [
            {**message, "content": ERASED} if message["role"] == "user" else message for message in prompt.messages
        ]
        # Of its own kind, since two erased conversations may look the same and a project has each content once.
        prompt.content_sha256 = messages_sha256([{"role": "user", "content": f"{ERASED} {prompt.pk}"}])
        prompt.save(update_fields=["messages", "content_sha256"])


def _erase_account(user: User) -> None:
    for rows in (ApiToken, Authenticator, EmailAddress, SocialAccount):
        rows.objects.filter(user=user).delete()
    Invitation.objects.filter(used_by=user).update(email="")
    if user.email:
        Invitation.objects.filter(email__iexact=user.email).update(email="")
    for session in Session.objects.iterator():  # who a session belongs to is known only by decoding it
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()
    tombstone = User(username=f"erased-{user.pk}")
    tombstone.set_unusable_password()
    User.objects.filter(pk=user.pk).update(
        username=tombstone.username,
        password=tombstone.password,
        first_name="",
        last_name="",
        email="",
        language="",
        is_staff=False,
        is_superuser=False,
        last_login=None,
    )
