"""What is held about oneself: taken home, or erased."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from allauth.account.adapter import get_adapter
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from feedback.domain.errors import FeedbackError
from feedback.models import User
from feedback.selectors.personal_data import personal_data
from feedback.services.erasure import person_erase
from feedback.views.access import Request, signed_in
from feedback.views.rendering import go, page


class EraseForm(forms.Form):
    """Asks for the password; who has none, because they come through single sign-on, types their user name."""

    proof = forms.CharField(max_length=1_000, strip=False)

    def __init__(self, data: Any, *, user: User) -> None:
        super().__init__(data)
        self.has_password = user.has_usable_password()
        self.user = user
        field = self.fields["proof"]
        if self.has_password:
            field.label = gettext_lazy("Your password")
            field.widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        else:
            field.label = gettext_lazy("Your user name")

    def clean_proof(self) -> str:
        proof = str(self.cleaned_data["proof"])
        if self.has_password and not get_adapter().reauthenticate(self.user, proof):
            raise forms.ValidationError(_("This is not your password."))
        if not self.has_password and proof != self.user.username:
            raise forms.ValidationError(_("This is not your user name."))
        return proof


@never_cache
@signed_in
@require_GET
def person_data(request: Request) -> StreamingHttpResponse:
    """Stream it section by section: years of work download in constant memory, without a job."""
    response = StreamingHttpResponse(_json(personal_data(user=request.user)), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


@sensitive_post_parameters("proof")
@never_cache
@signed_in
@require_http_methods(["GET", "POST"])
def erase(request: Request) -> HttpResponse:
    user = request.user
    form = EraseForm(request.POST or None, user=user)
    if form.is_valid():
        try:
            person_erase(user=user, by=user)
        except FeedbackError as error:
            form.add_error(None, error.message)
        else:
            logout(request)
            messages.success(request, _("You are forgotten. Thank you for your work."))
            return go(request, "account:login")
    return page(request, "account/erase.html", {"form": form}, status=422 if form.errors else 200)


def _json(sections: Iterator[tuple[str, Iterable[dict[str, Any]]]]) -> Iterator[str]:
    before = "{"
    for name, rows in sections:
        yield f"{before}\n{json.dumps(name)}: ["
        between = "\n  "
        for row in rows:
            yield between + json.dumps(row, ensure_ascii=False, cls=DjangoJSONEncoder)
            between = ",\n  "
        yield "]"
        before = ","
    yield "\n}\n"
