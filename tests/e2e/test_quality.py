"""The quality pages in a real browser, over a project that a crowd has judged and a worker's function has computed."""

import random

import pytest
from playwright.sync_api import expect

from feedback.domain.states import Role
from feedback.jobs import compute_quality
from feedback.models import QualityReport
from tests.e2e.conftest import PHONE
from tests.feedback.factories import (
    JudgmentFactory,
    MembershipFactory,
    PromptFactory,
    ResponseFactory,
    SourceFactory,
    TaskFactory,
    TaskItemFactory,
    UserFactory,
)

N_TASKS = 30


@pytest.fixture
def crowd(example):
    """Four people see the better answer in nine of ten tasks; a fifth always takes what is shown first."""
    generator = random.Random(4)
    project = example.project
    people = [
        MembershipFactory(
            project=project, user=UserFactory(username=name), role=Role.ANNOTATOR, pseudonym=f"p-{name}"
        ).user
        for name in ("ben", "cleo", "dora", "emil", "zeno")
    ]
    sources = [SourceFactory(project=project, key=key) for key in ("better", "worse")]
    for number in range(N_TASKS):
        task = TaskFactory(
            project=project, prompt=PromptFactory(project=project, text=f"What of {number}?"), n_answers=0
        )
        for item, source in enumerate(sources):
            response = ResponseFactory(prompt=task.prompt, source=source, text=f"Answer {source.key}. " * (item + 1))
            TaskItemFactory(task=task, response=response, item=item)
        for person in people:
            order = generator.sample([0, 1], 2)
            is_right = generator.random() < 0.9
            winner = order[0] if person.username == "zeno" else (0 if is_right else 1)
            JudgmentFactory(
                assignment__task=task, assignment__annotator=person, assignment__order=order,
                ranks=[1, 2] if winner == 0 else [2, 1], active_s=generator.uniform(10, 60),
            )  # fmt: skip
    return example


def test_an_admin_has_the_figures_computed_and_finds_the_spammer(visit, crowd):
    visitor = visit("ada")
    page = visitor.go(f"/projects/{crowd.project.pk}/")
    page.get_by_role("link", name="Quality", exact=True).click()
    expect(page.locator("#quality-report")).to_have_text("No figures yet")
    page.get_by_role("button", name="Compute now").click()
    expect(page.get_by_text("Figures are being computed.")).to_be_visible()

    compute_quality(QualityReport.objects.get().pk)

    expect(page.locator("#quality-report")).to_contain_text("Report")  # the page looks by itself
    expect(page.get_by_role("img")).to_have_count(4)
    assert visitor.serious_barriers() == []
    row = page.get_by_role("row").filter(has_text="zeno")
    expect(row.locator(".badge.bad")).not_to_have_count(0)
    page.get_by_role("link", name="Annotator", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Annotator")
    page.get_by_role("link", name="p-zeno").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("zeno")
    assert visitor.serious_barriers() == []
    assert visitor.complaints == []


def test_the_pages_fit_a_phone_and_work_without_scripts(visit, crowd):
    visitor = visit("ada", viewport=PHONE, java_script_enabled=False)
    page = visitor.go(f"/projects/{crowd.project.pk}/quality/")
    page.get_by_role("button", name="Compute now").click()
    compute_quality(QualityReport.objects.get().pk)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("#quality-report")).to_contain_text("Report")
    assert not visitor.scrolls_sideways()
    page.get_by_role("link", name="p-zeno").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("zeno")
    assert not visitor.scrolls_sideways()
