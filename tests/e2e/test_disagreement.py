"""People who disagree and somebody who clicks too fast, in a real browser, until an adjudicator or an admin decides."""

import os

import pytest
from playwright.sync_api import expect

from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import AdjudicationState, Role, Standing
from feedback.models import Adjudication, Batch, Hold, Judgment, Membership, Project, Response, Task
from tests.e2e.conftest import PHONE
from tests.feedback.factories import MembershipFactory, TaskFactory

RIVER = "river path"


@pytest.fixture
def project(example):
    """One task with two answers, of which one is about the river; two are to judge it and at most three."""
    Task.objects.exclude(pk=example.tasks[0].pk).delete()
    example.tasks[0].items.filter(item__gte=2).delete()
    Response.objects.filter(task_items__item=1).update(text="You could walk, I suppose. Why do you ask me?")
    example.project.protocols.update(kind=ProtocolKind.PAIRWISE)
    Project.objects.update(overlap=2, max_overlap=3)
    Task.objects.update(overlap=2, open_slots=2)
    Batch.objects.update(overlap=2, n_tasks=1, n_wanted=2)
    for name in ("bert", "cleo"):
        MembershipFactory(project=example.project, user__username=name)
    MembershipFactory(project=example.project, user__username="dee", role=Role.ADJUDICATOR)
    return example.project


def prefer(page, *, river):
    """Choose the answer about the river, or the other one, and submit; by the keys alone."""
    about_river = page.locator("section.answer", has_text=RIVER).get_attribute("data-letter")
    page.keyboard.press("1" if (about_river == "A") == river else "7")
    page.keyboard.press("Enter")


def look(visitor, name):
    """Check what everybody needs of a page, and keep a picture where one is asked for."""
    assert visitor.serious_barriers() == []
    assert not visitor.scrolls_sideways()
    if folder := os.environ.get("SCREENSHOTS"):
        width = visitor.page.viewport_size["width"]
        visitor.page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)


def test_two_disagree_a_third_is_asked_and_an_adjudicator_decides(visit, project):
    label = f"/projects/{project.pk}/label/"
    for name, river in (("annie", True), ("bert", False), ("cleo", False)):
        page = visit(name).go(label)
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#ranking")).to_be_visible()
        page.locator("summary", has_text="Add a remark").click()
        page.fill("#rationale", f"Said by {name[0]}.")
        page.keyboard.press("Escape")
        prefer(page, river=river)
        expect(page.get_by_role("heading", name="Nothing left to do")).to_be_visible()
    assert Adjudication.objects.get().agreement == pytest.approx(1 / 3)

    dee = visit("dee")
    page = dee.go(f"/projects/{project.pk}/")
    page.get_by_role("link", name="Adjudication").click()
    look(dee, "adjudications")
    page.get_by_role("link", name="Begin with the first").click()
    expect(page.locator("#ranking")).to_be_visible()
    assert "annie" not in page.content()
    for remark in ("Said by a.", "Said by b.", "Said by c."):
        expect(page.get_by_text(remark)).to_be_visible()
    look(dee, "adjudication")
    page.set_viewport_size(PHONE)
    look(dee, "adjudication")
    prefer(page, river=True)
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()

    decided, task = Adjudication.objects.get(), Task.objects.get()
    assert decided.state == AdjudicationState.DECIDED
    assert (decided.judgment.annotator.username, decided.judgment.counted) == ("dee", True)
    assert decided.judgment.active_s > 0
    assert (task.overlap, task.open_slots, Judgment.objects.filter(counted=True).count()) == (4, 0, 4)
    assert dee.complaints == []


def test_impossible_speed_is_held_back_and_an_admin_decides(visit, project):
    Task.objects.all().delete()
    for number in range(8):
        task = TaskFactory(project=project, prompt__text=f"How does one get to the harbour, number {number}?")
        for item, response in enumerate(Response.objects.filter(prompt=task.prompt).order_by("pk")):
            response.text = f"Take the {RIVER if item else 'road'}. " + "It is longer than one thinks. " * 5
            response.save()
    annie = visit("annie")
    page = annie.go(f"/projects/{project.pk}/label/")
    page.get_by_role("button", name="Start").click()
    for number in range(1, 6):
        expect(page.locator("#ranking:not([inert])")).to_be_visible()
        prefer(page, river=True)
        page.wait_for_function("() => !document.querySelector('#ranking[inert]')")
        for _ in range(100):
            if Judgment.objects.count() == number:
                break
            page.wait_for_timeout(20)
    if page.locator("#ranking").count():  # the next one was on the screen already
        prefer(page, river=True)
    expect(page.get_by_role("heading", name="No tasks for you just now")).to_be_visible()
    look(annie, "halted")
    assert Membership.objects.get(user__username="annie").standing == Standing.STOPPED
    assert annie.complaints == []

    ada = visit("ada")
    page = ada.go(f"/projects/{project.pk}/members/")
    look(ada, "members")
    page.get_by_role("link", name="annie").click()
    expect(page.get_by_role("heading", name="Faster than anybody reads")).to_be_visible()
    look(ada, "annotator")
    page.set_viewport_size(PHONE)
    look(ada, "annotator")
    page.get_by_role("button", name="Let them count").click()
    expect(page.locator(".toast")).to_contain_text("The judgments count")
    assert Hold.objects.get().judgments.filter(counted=True).count() == 5
    assert Membership.objects.get(user__username="annie").standing == Standing.WORKING
    assert ada.complaints == []
