"""What a task page costs on the wire, from the server as in production: compressed pages and files, hashed names."""

import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.e2e.conftest import Visitor
from tests.e2e.site import Site
from tests.example import example_project

pytestmark = pytest.mark.looks

COMPRESSED = "tests.compressed_settings"
FIRST_LOAD = 150_000
FURTHER_TASK = 25_000
"""Bytes with all headers. A task is its text: what comes with it every time must be small beside it."""
TEXT = " ".join(
    f"The path number {n} goes along the water, past the mill and over bridge {n * 7 % 31}." for n in range(25)
)


@pytest.fixture
def compressed_site(tmp_path, transactional_db):
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": COMPRESSED, "PLUMBLINE_HOME": str(settings.HOME)}
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--clear", "-v0", "-i", "redoc"]
    subprocess.run(collect, env=environment, cwd=settings.BASE_DIR, check=True)
    site = Site(tmp_path / "site.log", settings_module=COMPRESSED)
    site.start()
    yield site
    site.kill()


def test_a_first_load_and_a_further_task_are_light(chromium, compressed_site):
    example = example_project(n_tasks=5)
    for task in example.tasks:
        for number, item in enumerate(task.items.all()):
            item.response.text = f"{number} of task {task.pk}. {TEXT}"
            item.response.save()
    annie = Visitor(chromium, compressed_site.url)
    annie.sign_in("annie")
    page = annie.page
    wire = annie.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.clearBrowserCache")
    loaded = []
    wire.on("Network.loadingFinished", lambda event: loaded.append(event["encodedDataLength"]))

    page.goto(f"{compressed_site.url}/projects/{example.project.pk}/label/", wait_until="networkidle")
    page.click("text=Start")
    page.wait_for_selector("#ranking")
    page.wait_for_load_state("networkidle")
    first = sum(loaded)

    loaded.clear()
    before = page.input_value("[name=assignment]")
    for key in "1234":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.wait_for_function("before => document.querySelector('[name=assignment]').value !== before", arg=before)
    page.wait_for_timeout(1_500)  # the draft, the submit and the next task but one
    further = sum(loaded)
    annie.context.close()
    print(f"first load {first:,.0f} bytes, further task {further:,.0f} bytes")  # noqa: T201 - the figures
    assert annie.complaints == []
    assert 20_000 < first <= FIRST_LOAD
    assert 1_000 < further <= FURTHER_TASK
