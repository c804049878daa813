"""Choosing the language of the pages: kept with the account of who is signed in, and in a cookie for who is not."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from feedback.domain.errors import Invalid
from feedback.models import User
from feedback.services.language import language_choose


@require_POST
def choose(request: HttpRequest) -> HttpResponseBase:
    """Set the language and go back to the page that asked."""
    if isinstance(request.user, User):
        try:
            language_choose(user=request.user, language=request.POST.get("language", ""))
        except Invalid as error:
            return HttpResponse(error.message, status=422, content_type="text/plain")
    return set_language(request)  # the cookie stays for when this person signs out
