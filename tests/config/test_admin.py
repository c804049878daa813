import pytest
from django.apps import apps
from django.contrib.auth import get_user_model

from config.admin import site


@pytest.fixture
def root(db):
    return get_user_model().objects.create_superuser("root", password="correct horse battery")


def test_the_admin_site_shows_every_model_and_changes_none(rf, root):
    request = rf.get("/admin/")
    request.user = root
    for room in ("feedback", "alignment"):
        for model in apps.get_app_config(room).get_models():
            page = site.get_model_admin(model)
            assert page.has_view_permission(request)
            assert not page.has_add_permission(request)
            assert not page.has_change_permission(request)
            assert not page.has_delete_permission(request)


def test_libraries_add_no_tables_that_could_be_edited():
    assert {model._meta.app_label for model in site._registry} == {"feedback", "alignment"}


def test_a_superuser_cannot_edit_a_person_by_hand(client, root):
    client.force_login(root)
    url = f"/admin/feedback/user/{root.pk}/change/"

    page = client.get(url)

    assert page.status_code == 200
    assert root.password not in page.content.decode()
    assert client.post(url, {"username": "other"}).status_code == 403
