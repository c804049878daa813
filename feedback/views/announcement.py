"""Announcements: an admin writes them, annotators put them away."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from feedback.domain.errors import FeedbackError
from feedback.models import Project
from feedback.selectors.person import announcement_list, announcements_unseen
from feedback.services.announcement import (
    MAX_TEXT_LENGTH,
    announcement_create,
    announcement_end,
    announcements_dismiss,
)
from feedback.views.access import Request, project_page
from feedback.views.rendering import go, page, wants_fragment


class AnnouncementForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Announcement"),
        max_length=MAX_TEXT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text=gettext_lazy("Markdown. Every annotator sees it above the task until they put it away."),
    )
    ends_at = forms.DateTimeField(
        label=gettext_lazy("Ends"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("In your time zone. Without it the announcement stays until you end it."),
    )


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def announcements(request: Request, project: Project) -> HttpResponse:
    form = AnnouncementForm(request.POST or None)
    if form.is_valid():
        try:
            announcement_create(project=project, by=request.user, **form.cleaned_data)
        except FeedbackError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("The annotators see it with their next page."))
            return go(request, "feedback:announcements", project.pk)
    now = timezone.now()
    shown = [
        {"announcement": item, "is_over": item.ends_at is not None and item.ends_at <= now}
        for item in announcement_list(project=project)
    ]
    context: dict[str, Any] = {"project": project, "form": form, "announcements": shown}
    return page(request, "feedback/announcements.html", context, status=422 if form.errors else 200)


@require_POST
@project_page("feedback.manage_project")
def end(request: Request, project: Project, announcement_id: int) -> HttpResponse:
    announcement = announcement_list(project=project).filter(pk=announcement_id).first()
    if announcement is None:
        raise Http404
    try:
        announcement_end(announcement=announcement, by=request.user)
    except FeedbackError as error:
        messages.error(request, error.message)
    return go(request, "feedback:announcements", project.pk)


@require_http_methods(["GET", "POST"])
@project_page("feedback.view_project")
def unseen(request: Request, project: Project) -> HttpResponse:
    """Show a member what they have not put away yet; a POST puts away what they saw."""
    if request.method == "POST":
        last_id = request.POST.get("last", "")
        if last_id.isdecimal() and len(last_id) <= 18:  # 64 bits hold 18 digits
            announcements_dismiss(project=project, user=request.user, last_id=int(last_id))
        if not wants_fragment(request):
            has_tasks = request.user.has_perm("feedback.annotate_project", project)
            return go(request, "feedback:label" if has_tasks else "feedback:project", project.pk)
    context = {"project": project, "unseen": announcements_unseen(project=project, user=request.user)}
    return page(request, "feedback/announcements_unseen.html", context, fragment="includes/announcements.html")
