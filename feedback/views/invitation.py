"""Invitations: an admin makes and revokes links, and whoever opens one joins or signs up."""

from allauth.account.utils import perform_login
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.errors import FeedbackError
from feedback.domain.states import Role
from feedback.models import Invitation, Project
from feedback.selectors.person import invitation_usable, invitations_open
from feedback.selectors.project import membership_roles
from feedback.services.invitation import (
    invitation_accept,
    invitation_create,
    invitation_revoke,
    invitation_sign_up,
)
from feedback.views.access import Request, project_page, signed_in
from feedback.views.member import InvitationForm, members_done, members_page
from feedback.views.rendering import go, page

SESSION_KEY = "invitation"
"""Under it a visitor's session keeps the token on the way through single sign-on."""


class SignUpForm(forms.Form):
    username = forms.CharField(
        label=gettext_lazy("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
        help_text=gettext_lazy("Letters, digits and @.+-_ only. You sign in with it."),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=150,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=gettext_lazy("Where a link for a new password is sent."),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=1_000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("At least 8 characters, and none that everybody uses."),
    )


@require_POST
@never_cache
@project_page("feedback.manage_project")
def create(request: Request, project: Project) -> HttpResponse:
    """Make a link; it stands in this one answer and nowhere else."""
    form = InvitationForm(request.POST)
    link = ""
    if form.is_valid():
        try:
            _invitation, token = invitation_create(
                project=project,
                role=Role(form.cleaned_data["role"]),
                days=form.cleaned_data["days"],
                email=form.cleaned_data["email"],
                by=request.user,
            )
            link = request.build_absolute_uri(reverse("feedback:invitation", args=[token]))
            form = InvitationForm()
        except FeedbackError as error:
            form.add_error(None, error.message)
    return members_page(request, project, invitation_form=form, link=link)


@require_POST
@project_page("feedback.manage_project")
def revoke(request: Request, project: Project) -> HttpResponse:
    number = request.POST.get("invitation", "")
    invitation = invitations_open(project=project).filter(pk=number).first() if number.isdecimal() else None
    if invitation is not None:
        try:
            invitation_revoke(invitation=invitation, by=request.user)
            messages.success(request, _("The link works no longer."))
        except FeedbackError as error:
            messages.error(request, error.message)
    return members_done(request, project)


@require_GET
@never_cache
def show(request: HttpRequest, token: str) -> HttpResponse:
    """Show where the link leads: a member joins by one button, a visitor signs in or makes an account."""
    return _page(request, token, None if request.user.is_authenticated else SignUpForm())


@signed_in
@require_POST
def accept(request: Request, token: str) -> HttpResponse:
    invitation = invitation_usable(token=token)
    if invitation is None:
        return _page(request, token, None)
    if Role(invitation.role) not in membership_roles(user=request.user, project=invitation.project):
        try:
            invitation_accept(token=token, user=request.user)
        except FeedbackError as error:
            messages.error(request, error.message)
            return _page(request, token, None)
        messages.success(request, _("Welcome to %(project)s.") % {"project": invitation.project})
    request.session.pop(SESSION_KEY, None)
    return go(request, "feedback:project", invitation.project_id)


@sensitive_post_parameters("password")
@never_cache
@require_POST
def sign_up(request: HttpRequest, token: str) -> HttpResponseBase:
    """Make an account and a member of it, and sign it in."""
    invitation = invitation_usable(token=token)
    form = SignUpForm(request.POST)
    if request.user.is_authenticated or invitation is None:
        return go(request, "feedback:invitation", token)
    if not form.is_valid():
        return _page(request, token, form)
    try:
        user = invitation_sign_up(token=token, **form.cleaned_data)
    except FeedbackError as error:
        form.add_error(None, error.message)
        return _page(request, token, form)
    messages.success(request, _("Welcome to %(project)s.") % {"project": invitation.project})
    signed_in_there: HttpResponseBase = perform_login(
        request, user, redirect_url=reverse("feedback:project", args=[invitation.project_id])
    )
    return signed_in_there


def _page(request: HttpRequest, token: str, form: SignUpForm | None) -> HttpResponse:
    invitation: Invitation | None = invitation_usable(token=token)
    if invitation is None:
        return page(request, "feedback/invitation.html", {}, status=410)
    if form is not None:
        request.session[SESSION_KEY] = token
    context = {"invitation": invitation, "role": Role(invitation.role).label, "token": token, "form": form}
    return page(request, "feedback/invitation.html", context, status=422 if form and form.errors else 200)
