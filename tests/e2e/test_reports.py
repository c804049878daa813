"""Reports in a real browser: from the project's page to the list, and marking one as done."""

import pytest
from playwright.sync_api import expect

from feedback.models import Report
from tests.e2e.conftest import PHONE, WIDE

pytestmark = pytest.mark.looks


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])
def test_an_admin_looks_through_what_was_reported(visit, example, viewport, has_scripts):
    for task, text in zip(example.tasks, ("It is cut off.", "x" * 300, "One line.\nAnother line."), strict=True):
        Report.objects.create(task=task, annotator=example.annotator, text=text)
    visitor = visit("ada", viewport=viewport, java_script_enabled=has_scripts)
    page = visitor.go(f"/projects/{example.project.pk}/")
    page.get_by_role("link", name="Look at reported problems").click()
    rows = page.locator("#reports li")
    expect(rows).to_have_count(3)
    assert not has_scripts or visitor.serious_barriers() == []
    assert not visitor.scrolls_sideways()

    rows.filter(has_text="It is cut off.").get_by_role("button", name="Mark as done").click()
    expect(rows).to_have_count(2)
    expect(page.locator(".toast")).to_contain_text("The report is marked as done.")
    assert ("page=" in page.url) != has_scripts  # with scripts only the list changes

    page.get_by_role("link", name="Show done ones").click()
    expect(rows).to_contain_text(["done by ada"])
    expect(page.get_by_role("button", name="Mark as done")).to_have_count(0)
    assert visitor.complaints == []
