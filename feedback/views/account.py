"""Signing in and out, and what a person sets for themselves."""

import zoneinfo
from typing import Any

from allauth.account.decorators import reauthentication_required
from allauth.account.views import LoginView, LogoutView
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from feedback.domain.errors import FeedbackError
from feedback.models import Project, User
from feedback.selectors.person import content_warnings, demo_exists, opted_out_tags
from feedback.selectors.project import project_list
from feedback.services.person import person_update, tags_opt_out
from feedback.views.access import Request, project_page, signed_in
from feedback.views.rendering import go, page, wants_fragment


class Login(LoginView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        base = "partial.html" if wants_fragment(self.request) else "base.html"
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"base_template": base, "is_demo": demo_exists()}


class Logout(LogoutView):
    http_method_names = ["post", "options"]


class ProfileForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=150,
        required=False,
        help_text=gettext_lazy("For those who run your projects. Exports never carry it."),
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        max_length=254,
        required=False,
        help_text=gettext_lazy("Where a link for a new password is sent."),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"), help_text=gettext_lazy("Your days begin and your hours are counted in it.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("As the browser says")), *settings.LANGUAGES]  # type: ignore[attr-defined]
        zones = sorted(zoneinfo.available_timezones())
        self.fields["time_zone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]


def _changes_email(request: Request) -> bool:
    return request.POST.get("email", "") != request.user.email


@signed_in
@require_http_methods(["GET", "POST"])
@reauthentication_required(allow_get=True, enabled=_changes_email)
def profile(request: Request) -> HttpResponse:
    """Show and change what people say about themselves; a new address for new passwords asks for the password first."""
    user = request.user
    initial = {
        "name": user.get_full_name(),
        "email": user.email,
        "language": user.language,
        "time_zone": user.time_zone,
    }
    form = ProfileForm(request.POST or None, initial=initial)
    if form.is_valid():
        try:
            person_update(user=user, **form.cleaned_data)
        except FeedbackError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("Saved."))
            return go(request, "account:profile")
    context = {"form": form, "warned": _warned(request), "has_sso": bool(settings.SOCIALACCOUNT_PROVIDERS)}
    return page(request, "account/profile.html", context, status=422 if form.errors else 200)


@require_POST
@project_page("feedback.view_project")
def opt_out(request: Request, project: Project) -> HttpResponse:
    """Note which of the project's warned-of tags this person does not want to see."""
    known = _tags(project, request.user)
    tags_opt_out(project=project, user=request.user, tags=[tag for tag in request.POST.getlist("tags") if tag in known])
    messages.success(request, _("Saved."))
    return go(request, "account:profile")


def _warned(request: Request) -> list[dict[str, Any]]:
    """Return the person's projects that warn of some prompts, with what they chose."""
    warned = []
    for project in project_list(user=request.user):
        chosen = opted_out_tags(project=project, user=request.user)
        tags = [
            {"tag": tag, "warning": warning, "is_out": tag in chosen}
            for tag, warning in _tags(project, request.user).items()
        ]
        if tags:
            warned.append({"project": project, "tags": tags})
    return warned


def _tags(project: Project, user: User) -> dict[str, str]:
    """Return the tags that the project warns of, and those that the person opted out of before."""
    before = dict.fromkeys(opted_out_tags(project=project, user=user), "")
    return before | content_warnings(project=project)
