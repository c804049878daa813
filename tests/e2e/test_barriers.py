"""No barrier while one works: in the middle of a ranking, with a dialog open, on a page that changes by itself."""

import pytest
from playwright.sync_api import expect

from alignment.domain.states import RoundState, RunState
from alignment.models import Round, Run
from tests.e2e.conftest import PHONE, WIDE
from tests.e2e.touring import barriers
from tests.example import example_project, example_rounds

pytestmark = pytest.mark.looks

THEMES = [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")]


@pytest.mark.parametrize(("viewport", "theme"), THEMES, ids=["wide-light", "wide-dark", "phone-light", "phone-dark"])
def test_neither_ranking_nor_launching_has_a_barrier_on_the_way(visit, viewport, theme):
    example = example_project()
    example_rounds(example, state=RoundState.LABELING)
    annie = visit("annie", viewport=viewport, color_scheme=theme)
    page = annie.go(f"/projects/{example.project.pk}/label/")
    page.click("text=Start")
    expect(page.locator("#comparison h1")).to_be_focused()
    assert barriers(page) == []
    for key in "1123":
        page.keyboard.press(key)
    page.keyboard.press("?")
    assert barriers(page) == []
    assert not annie.scrolls_sideways()

    ada = visit("ada", viewport=viewport, color_scheme=theme)
    assert barriers(ada.go(f"/projects/{example.project.pk}/rounds/")) == []
    assert not ada.scrolls_sideways()
    assert annie.complaints == ada.complaints == []


def test_the_chosen_theme_is_kept(visit):
    visitor = visit(color_scheme="light")
    page = visitor.go("/login/")
    page.click("[data-theme-toggle]")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(15, 21, 24)"


def test_a_running_round_goes_on_by_itself_and_stops_at_the_gate(visit):
    example = example_project()
    round_ = example_rounds(example, state=RoundState.POLICY)
    run = Run.objects.get(purpose="policy")
    Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING, progress_done=10)
    ada = visit("ada")
    page = ada.go(f"/projects/{example.project.pk}/rounds/1/")
    expect(page.locator(f"#run-{run.pk} progress")).to_have_attribute("value", "10")
    page.click(f"#run-{run.pk} summary >> nth=0")

    Run.objects.filter(pk=run.pk).update(progress_done=30)
    expect(page.locator(f"#run-{run.pk} progress")).to_have_attribute("value", "30")
    assert page.locator(f"#run-{run.pk} details[open]").count() == 1  # what was opened stays open

    Round.objects.filter(pk=round_.pk).update(state=RoundState.GATE)
    expect(page.get_by_role("heading", name="Your decision")).to_be_visible()
    assert page.locator("[hx-trigger]").count() == 0
    assert ada.complaints == []
