"""The people of a project and their roles."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from feedback.domain.errors import FeedbackError
from feedback.domain.states import Role
from feedback.models import Project
from feedback.selectors.person import member_list, user_by_name
from feedback.services.person import member_add, member_remove
from feedback.views.access import Request, project_page
from feedback.views.rendering import go, page, wants_fragment


class MemberForm(forms.Form):
    username = forms.CharField(label=gettext_lazy("User name"), max_length=150)
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=Role.choices,
        help_text=gettext_lazy(
            "Annotators rank. Researchers download data and watch rounds. Admins do the rest. Several roles are fine."
        ),
    )


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def members(request: Request, project: Project) -> HttpResponse:
    form = MemberForm(request.POST or None)
    if not form.is_valid():
        return _page(request, project, form)
    user = user_by_name(username=form.cleaned_data["username"])
    if user is None:
        form.add_error("username", _("There is no user of that name."))
        return _page(request, project, form)
    member_add(project=project, user=user, role=Role(form.cleaned_data["role"]), by=request.user)
    messages.success(request, _("%(name)s is a member now.") % {"name": user.username})
    return _done(request, project)


@require_POST
@project_page("feedback.manage_project")
def remove(request: Request, project: Project) -> HttpResponse:
    user = user_by_name(username=request.POST.get("username", ""))
    role = request.POST.get("role", "")
    if user is not None and role in Role.values:
        try:
            member_remove(project=project, user=user, role=Role(role), by=request.user)
            messages.success(request, _("%(name)s lost that role.") % {"name": user.username})
        except FeedbackError as error:
            messages.error(request, error.message)
    return _done(request, project)


def _done(request: Request, project: Project) -> HttpResponse:
    if wants_fragment(request) and request.user.has_perm("feedback.manage_project", project):
        return _page(request, project, MemberForm())
    return go(request, "feedback:members", project.pk)


def _page(request: Request, project: Project, form: MemberForm) -> HttpResponse:
    context = {"project": project, "form": form, "members": _members(project)}
    status = 422 if form.is_bound and form.errors else 200
    return page(request, "feedback/members.html", context, fragment="feedback/fragments/members.html", status=status)


def _members(project: Project) -> list[dict[str, Any]]:
    """Return members with their roles in a fixed order."""
    return [
        {"user": member.user, "pseudonym": member.pseudonym, "roles": [role for role in Role if role in member.roles]}
        for member in member_list(project=project)
    ]
