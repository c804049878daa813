import pytest
from django.conf import settings
from django.test import Client

from tests.tour import NOT_PAGES, PAGES, names_of_urls, paths, session_of, world


def test_every_page_is_on_the_tour():
    assert set(names_of_urls()) == {*PAGES, *NOT_PAGES}
    assert not set(PAGES) & set(NOT_PAGES)


@pytest.mark.django_db
def test_every_stop_of_the_tour_shows_a_page_in_our_frame_and_language():
    places = world()
    for who, path in paths(places):
        client = Client()
        if who:
            client.cookies[settings.SESSION_COOKIE_NAME] = session_of(who)
        response = client.get(path, follow=True)
        assert response.status_code in {200, 401, 403, 404, 410}, (who, path, response.status_code)
        assert response["Content-Type"].startswith("text/html"), path
