"""A newcomer in a real browser: training that explains, qualification, and real tasks with hidden gold ones."""

import pytest
from playwright.sync_api import expect

from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import Standing, TaskPurpose
from feedback.models import Assignment, Judgment, Membership, Response
from tests.e2e.conftest import PHONE, WIDE
from tests.example import example_project
from tests.feedback.factories import GoldFactory, MembershipFactory, TaskFactory, UserFactory

RIGHT, WRONG = "Four, since two and two are four.", "Five, I am told."


def known(project, purpose, n):
    golds = [
        GoldFactory(
            task__project=project, task__purpose=purpose, task__prompt__text=f"What is 2 + 2 ({purpose} {number})?",
            explanation="Count on **your fingers**.",
        )
        for number in range(n)
    ]  # fmt: skip
    for item, text in enumerate((RIGHT, WRONG)):
        Response.objects.filter(task_items__task__gold__in=golds, task_items__item=item).update(text=text)


@pytest.fixture
def newcomer():
    """Somebody new in a project that compares two answers, with two lessons, two questions and eight gold tasks."""
    project = example_project(n_tasks=0, n_answers=2).project
    project.protocols.update(kind=ProtocolKind.PAIRWISE)
    project.gold_share, project.qualification_pass = 0.5, 1.0
    project.save()
    for purpose, n in ((TaskPurpose.TRAINING, 2), (TaskPurpose.QUALIFICATION, 2), (TaskPurpose.GOLD, 8)):
        known(project, purpose, n)
    TaskFactory.create_batch(12, project=project, n_answers=2)
    # What is drawn follows from the membership's number.
    return MembershipFactory(pk=10**6, project=project, user=UserFactory(username="nora"), standing=Standing.LEARNING)


def compare(page, text):
    """Prefer the answer with this text, or the first one where there is none such, and submit."""
    page.wait_for_selector("#ranking:not([inert])")
    found = page.locator("#ranking [data-letter]", has_text=text)
    letter = found.get_attribute("data-letter") if found.count() else "A"
    assignment = page.input_value("#ranking [name=assignment]")
    page.locator("label", has=page.locator(f'[name=strength][value="{letter}2"]')).click()
    page.click("[data-submit]")
    expect(page.locator(f'#ranking [name=assignment][value="{assignment}"]')).to_have_count(0)


def test_a_newcomer_learns_qualifies_and_works_without_seeing_which_tasks_are_gold(visit, newcomer):
    visitor = visit("nora", viewport=WIDE)
    fetched = []
    visitor.page.on("request", lambda request: "/prefetch/" in request.url and fetched.append(request.url))
    page = visitor.go(f"/projects/{newcomer.project_id}/label/")
    expect(page.locator("#comparison")).to_contain_text("You begin with tasks whose answer is known")
    page.get_by_role("button", name="Start").click()

    expect(page.locator("#comparison")).to_contain_text("1 of 2")
    compare(page, RIGHT)
    expect(page.get_by_role("heading", name="That is right")).to_be_visible()
    expect(page.locator(".prose strong")).to_have_text("your fingers")
    page.get_by_role("button", name="Continue").click()
    compare(page, WRONG)
    expect(page.get_by_role("heading", name="Not quite")).to_be_visible()
    expect(page.locator(".explained tbody tr")).to_have_count(2)
    assert visitor.serious_barriers() == []
    page.get_by_role("button", name="Continue").click()

    expect(page.locator("#comparison")).to_contain_text("Qualification")
    compare(page, RIGHT)
    assert fetched == []  # a task fetched in advance would come before what the one in hand teaches
    compare(page, RIGHT)
    expect(page.locator("[data-queue]")).to_be_visible()
    for _task in range(6):
        compare(page, RIGHT)
    expect(page.locator("#ranking")).to_be_visible()
    judged = Judgment.objects.filter(task__purpose__in=(TaskPurpose.GOLD, TaskPurpose.LABEL))
    expect(page.locator("[data-outbox-late]")).to_be_hidden()
    assert set(judged.values_list("task__purpose", flat=True)) == {TaskPurpose.GOLD, TaskPurpose.LABEL}
    assert Membership.objects.get(pk=newcomer.pk).standing == Standing.WORKING
    assert visitor.complaints == []


def test_a_newcomer_who_gets_too_much_wrong_is_told_so_without_scripts(visit, newcomer):
    visitor = visit("nora", viewport=PHONE, java_script_enabled=False)
    page = visitor.go(f"/projects/{newcomer.project_id}/label/")
    page.get_by_role("button", name="Start").click()
    for _lesson in range(2):
        compare(page, WRONG)
        expect(page.get_by_role("heading", name="Not quite")).to_be_visible()
        page.reload()  # submits nothing again
        expect(page.get_by_role("heading", name="Not quite")).to_be_visible()
        assert not visitor.scrolls_sideways()
        page.get_by_role("button", name="Continue").click()
    for text in (RIGHT, WRONG):
        compare(page, text)

    expect(page.locator("body")).to_contain_text("You got 1 of 2 qualification tasks right; 2 were needed.")
    expect(page.locator("#ranking")).to_have_count(0)
    assert Assignment.objects.filter(annotator=newcomer.user).count() == 4
    assert visitor.complaints == []
