"""Keys for the API: made, shown once, revoked."""

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from feedback.domain.errors import FeedbackError
from feedback.domain.scopes import Scope
from feedback.selectors.person import token_list
from feedback.services.person import token_create, token_revoke
from feedback.views.access import Request, signed_in
from feedback.views.rendering import go, page, wants_fragment


class TokenForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=100, help_text=gettext_lazy("What uses it, for example: my laptop")
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        choices=Scope.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Nothing ticked means: all that you may do yourself."),
    )


@never_cache
@signed_in
@require_http_methods(["GET", "POST"])
def tokens(request: Request) -> HttpResponse:
    """List a person's keys, and make one; its clear text is in this one answer and nowhere else."""
    form = TokenForm(request.POST or None)
    clear_text = ""
    if form.is_valid():
        try:
            _token, clear_text = token_create(user=request.user, **form.cleaned_data)
            form = TokenForm()
        except FeedbackError as error:
            form.add_error(None, error.message)
    return _page(request, form, clear_text)


@signed_in
@require_POST
def revoke(request: Request) -> HttpResponse:
    token_revoke(user=request.user, digest=request.POST.get("digest", ""))
    return _page(request, TokenForm(), "") if wants_fragment(request) else go(request, "account:tokens")


def _page(request: Request, form: TokenForm, clear_text: str) -> HttpResponse:
    context = {"form": form, "clear_text": clear_text, "tokens": token_list(user=request.user)}
    status = 422 if form.is_bound and form.errors else 200
    return page(request, "account/tokens.html", context, fragment="account/fragments/tokens.html", status=status)
