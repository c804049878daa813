"""Tasks in a real browser: an admin searches, changes what is ticked, and reads what happened."""

from playwright.sync_api import expect

from feedback.models import Task
from tests.e2e.conftest import PHONE
from tests.feedback.factories import JudgmentFactory


def test_an_admin_finds_a_task_raises_its_priority_and_reads_its_history(visit, example):
    wanted = example.tasks[1]
    JudgmentFactory(
        assignment__task=wanted, assignment__annotator=example.annotator, rationale="The first one is short.",
        flags=[{"item": 1, "flag": "unsafe"}], active_s=75,
    )  # fmt: skip
    visitor = visit("ada")
    page = visitor.go(f"/projects/{example.project.pk}/tasks/")
    page.get_by_label("Words").fill("bakery")
    page.get_by_role("button", name="Search").click()
    rows = page.locator("#tasks tbody tr")
    expect(rows).to_have_count(1)
    assert "words=bakery" in page.url
    assert visitor.serious_barriers() == []

    rows.get_by_role("checkbox").check()
    page.get_by_label("What").select_option("prioritise")
    page.get_by_label("New priority").fill("5")
    page.get_by_label("Reason").fill("It is asked for today.")
    page.get_by_role("button", name="Do it for the ticked ones").click()
    expect(page.locator(".toast")).to_contain_text("1 task was changed.")
    assert "words=bakery" in page.url
    assert Task.objects.get(pk=wanted.pk).priority == 5

    page.get_by_role("link", name=str(wanted.pk), exact=True).click()
    expect(page.locator(".history-events")).to_contain_text("priority 0 to 5: It is asked for today.")
    expect(page.locator(".history-events")).to_contain_text("The first one is short.")
    assert visitor.serious_barriers() == []
    for path in ("", "prompts/"):
        visitor.go(f"/projects/{example.project.pk}/{path}")
        assert visitor.serious_barriers() == []
    visitor.page.set_viewport_size(PHONE)
    for path in ("", "prompts/", "tasks/", f"tasks/{wanted.pk}/"):
        visitor.go(f"/projects/{example.project.pk}/{path}")
        assert not visitor.scrolls_sideways(), path
    assert visitor.complaints == []
