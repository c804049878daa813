"""Live comparison: chatting with two policies at once, and saying after each turn which one answered better."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.errors import FeedbackError, Invalid
from feedback.domain.protocol import SkipReason
from feedback.domain.states import TurnState
from feedback.models import Conversation, Project
from feedback.selectors.assignment import assignment_view
from feedback.selectors.conversation import (
    conversation_get,
    conversation_list,
    conversation_view,
    live_offers,
    turn_assignment,
    turn_last,
)
from feedback.selectors.project import protocol_current
from feedback.services.conversation import (
    conversation_end,
    conversation_start,
    conversation_write,
    turn_ask_again,
    turn_judge,
    turn_skip,
)
from feedback.views.access import Request, project_page
from feedback.views.rendering import STOP_POLLING, go, page, wants_fragment
from feedback.views.task_form import seconds_worked, verdict_from_form
from feedback.views.task_page import task_context

MAX_DIGITS = 18
"""64 bits hold so many."""


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def live(request: Request, project: Project) -> HttpResponse:
    """Show the conversations that go on, and a field to begin a new one."""
    return _entrance(request, project)


@require_POST
@project_page("feedback.annotate_project")
def turn(request: Request, project: Project) -> HttpResponse:
    """Take what the annotator wrote: the first message of a new conversation, or the next one of theirs."""
    form = request.POST
    text = form.get("text", "")
    if not form.get("conversation"):
        try:
            conversation = conversation_start(project=project, annotator=request.user, text=text)
        except FeedbackError as error:
            return _entrance(request, project, text=text, error=error.message)
        return go(request, "feedback:live_state", project.pk, conversation.pk)
    conversation = _own(request, project, _whole(form["conversation"]))
    try:
        conversation_write(
            conversation=conversation, number=_whole(form.get("number", "")), text=text, letter=form.get("letter", "")
        )
    except FeedbackError as error:
        return _chat(request, conversation, error=error.message, text=text)
    return _moved(request, conversation)


@never_cache
@require_GET
@project_page("feedback.annotate_project")
def state(request: Request, project: Project, conversation_id: int) -> HttpResponse:
    """Show a conversation; to htmx, which asks every second while the policies answer, its newest turn."""
    conversation = _own(request, project, conversation_id)
    # Browsers do not load a page again that they stand in the middle of: each look needs an address of its own.
    context = _context(conversation, next_look=_whole(request.GET.get("look", "")) + 1)
    status = 200 if context["is_answering"] or not wants_fragment(request) else STOP_POLLING
    return page(request, "feedback/live_conversation.html", context, fragment="feedback/live_now.html", status=status)


@require_POST
@project_page("feedback.annotate_project")
def judge(request: Request, project: Project, conversation_id: int) -> HttpResponse:
    """Take the choice between the two answers, or the reason to make none."""
    conversation = _own(request, project, conversation_id)
    form = request.POST
    try:
        if reason := form.get("skip_reason"):
            turn_skip(conversation=conversation, reason=_skip_reason(reason), note=form.get("skip_note", ""))
        else:
            _judge(conversation, form)
    except FeedbackError as error:
        return _chat(request, conversation, error=error.message, typed=form)
    return _moved(request, conversation)


@require_POST
@project_page("feedback.annotate_project")
def again(request: Request, project: Project, conversation_id: int) -> HttpResponse:
    """Ask both policies once more after one did not answer."""
    conversation = _own(request, project, conversation_id)
    try:
        turn_ask_again(conversation=conversation)
    except FeedbackError as error:
        return _chat(request, conversation, error=error.message)
    return _moved(request, conversation)


@require_POST
@project_page("feedback.annotate_project")
def end(request: Request, project: Project, conversation_id: int) -> HttpResponse:
    conversation_end(conversation=_own(request, project, conversation_id))
    messages.success(request, _("The conversation is ended. What you judged in it is kept."))
    return go(request, "feedback:live", project.pk)


def _judge(conversation: Conversation, form: QueryDict) -> None:
    assignment = turn_assignment(turn=turn_last(conversation=conversation))
    if assignment is None or str(assignment.pk) != form.get("assignment"):
        raise Invalid(_("This conversation went on in another window; here is where it stands."))
    turn_judge(
        conversation=conversation,
        verdict=verdict_from_form(form, assignment_view(assignment=assignment)),
        client_key=form.get("client_key", ""),
        rationale=form.get("rationale", ""),
        active_s=seconds_worked(form),
    )


def _entrance(request: Request, project: Project, *, text: str = "", error: str = "") -> HttpResponse:
    missing = ""
    try:
        live_offers(project=project)
    except Invalid as refused:
        missing = refused.message
    context = {
        "project": project,
        "protocol": protocol_current(project=project),
        "conversations": conversation_list(project=project, annotator=request.user),
        "missing": missing,
        "text": text,
        "error": error,
    }
    return page(request, "feedback/live.html", context, status=422 if error else 200)


def _moved(request: Request, conversation: Conversation) -> HttpResponse:
    """Show where the conversation stands: to htmx at once, else by leading to its page."""
    if wants_fragment(request):
        conversation.refresh_from_db()
        return _chat(request, conversation)
    return go(request, conversation_url(conversation))


def conversation_url(conversation: Conversation) -> str:
    """Return the address of a conversation's newest turn."""
    return f"{reverse('feedback:live_state', args=[conversation.project_id, conversation.pk])}#now"


def _chat(
    request: Request,
    conversation: Conversation,
    *,
    error: str = "",
    text: str = "",
    typed: QueryDict | None = None,
) -> HttpResponse:
    context = {**_context(conversation, typed), "error": error, "text": text}
    return page(
        request,
        "feedback/live_conversation.html",
        context,
        fragment="feedback/live_chat.html",
        status=422 if error else 200,
    )


def _context(conversation: Conversation, typed: QueryDict | None = None, *, next_look: int = 1) -> dict[str, Any]:
    chat = conversation_view(conversation=conversation)
    context: dict[str, Any] = {
        "project": conversation.project,
        "protocol": protocol_current(project=conversation.project),
        "chat": chat,
        "next_look": next_look,
        "is_answering": chat.is_going and chat.now.state == TurnState.ANSWERING,
    }
    if chat.is_going and chat.now.state == TurnState.READY and chat.now.assignment is not None:
        context |= task_context(assignment_view(assignment=chat.now.assignment), typed)
    return context


def _own(request: Request, project: Project, conversation_id: int) -> Conversation:
    conversation = conversation_get(project=project, annotator=request.user, conversation_id=conversation_id)
    if conversation is None:
        raise Http404
    return conversation


def _skip_reason(text: str) -> SkipReason:
    if text not in SkipReason.values:
        raise Invalid(_("Say why you skip the turn."))
    return SkipReason(text)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0
