"""The site's pages, and one that writes a single row: what server and database can do at most."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config.urls import urlpatterns as site_urls
from feedback.models import Transition


@csrf_exempt
def one_row(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - a view
    Transition.objects.create(object_type="bench.row", object_id=1, to_state="written")
    return HttpResponse(status=204)


urlpatterns = [path("bench/one-row/", one_row), *site_urls]
