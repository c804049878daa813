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
from feedback.selectors.annotator import holds_waiting, standings
from feedback.selectors.person import invitations_open, member_list, user_by_name
from feedback.services.invitation import DAYS, MAX_DAYS, MAX_EMAIL_LENGTH
from feedback.services.person import member_add, member_remove
from feedback.views.access import Request, project_page
from feedback.views.rendering import go, page, wants_fragment


class MemberForm(forms.Form):
    username = forms.CharField(label=gettext_lazy("User name"), max_length=150)
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=Role.choices,
        help_text=gettext_lazy(
            "Annotators judge, adjudicators decide where they disagree. Researchers download data and watch rounds. "
            "Admins do the rest. Several roles are fine."
        ),
    )


class InvitationForm(forms.Form):
    prefix = "invite"

    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices)
    days = forms.IntegerField(
        label=gettext_lazy("Works for, days"), initial=DAYS, min_value=1, max_value=MAX_DAYS,
    )  # fmt: skip
    email = forms.EmailField(
        label=gettext_lazy("For"),
        max_length=MAX_EMAIL_LENGTH,
        required=False,
        help_text=gettext_lazy("An e-mail address, so that you know later whose it was. Nothing is sent."),
    )


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def members(request: Request, project: Project) -> HttpResponse:
    form = MemberForm(request.POST or None)
    if not form.is_valid():
        return members_page(request, project, form=form)
    user = user_by_name(username=form.cleaned_data["username"])
    if user is None:
        form.add_error("username", _("There is no user of that name."))
        return members_page(request, project, form=form)
    member_add(project=project, user=user, role=Role(form.cleaned_data["role"]), by=request.user)
    messages.success(request, _("%(name)s is a member now.") % {"name": user.username})
    return members_done(request, project)


@require_POST
@project_page("feedback.manage_project")
def remove(request: Request, project: Project) -> HttpResponse:
    """Take one role from a person, or all of them when none is named."""
    user = user_by_name(username=request.POST.get("username", ""))
    role = request.POST.get("role", "")
    if user is not None and (not role or role in Role.values):
        try:
            member_remove(project=project, user=user, role=Role(role) if role else None, by=request.user)
            done = _("%(name)s lost that role.") if role else _("%(name)s is no longer a member. Their judgments stay.")
            messages.success(request, done % {"name": user.username})
        except FeedbackError as error:
            messages.error(request, error.message)
    return members_done(request, project)


def members_done(request: Request, project: Project) -> HttpResponse:
    """Answer after something was changed: htmx gets the list as it is now, a browser is sent to it."""
    if wants_fragment(request) and request.user.has_perm("feedback.manage_project", project):
        return members_page(request, project)
    return go(request, "feedback:members", project.pk)


def members_page(
    request: Request,
    project: Project,
    *,
    form: MemberForm | None = None,
    invitation_form: InvitationForm | None = None,
    link: str = "",
) -> HttpResponse:
    """Show people, invitations and the forms; `link` is a new invitation's, shown this once."""
    form, invitation_form = form or MemberForm(), invitation_form or InvitationForm()
    context = {
        "project": project,
        "form": form,
        "invitation_form": invitation_form,
        "invitations": invitations_open(project=project),
        "link": link,
        "members": _members(project),
    }
    status = 422 if form.errors or invitation_form.errors else 200
    return page(request, "feedback/members.html", context, fragment="feedback/fragments/members.html", status=status)


def _members(project: Project) -> list[dict[str, Any]]:
    """Return members with their roles in a fixed order, and how those who annotate stand."""
    standing, waiting = standings(project=project), holds_waiting(project=project)
    return [
        {
            "user": member.user,
            "pseudonym": member.pseudonym,
            "roles": [role for role in Role if role in member.roles],
            "standing": standing.get(member.user.pk),
            "n_holds": waiting.get(member.user.pk, 0),
        }
        for member in member_list(project=project)
    ]
