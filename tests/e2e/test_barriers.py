"""Every page, light and dark, wide and on a phone: no serious barrier by axe, no sideways scrolling, no complaint."""

import pytest
from playwright.sync_api import expect

from alignment.domain.states import DeploymentState, RoundState, RunState
from alignment.models import Deployment, Round, Run
from tests.e2e.conftest import PHONE, WIDE
from tests.example import example_project, example_rounds

ADMINS = [
    "/",
    "/account/keys/",
    "/projects/new/",
    "/projects/{project}/",
    "/projects/{project}/settings/",
    "/projects/{project}/prompts/",
    "/projects/{project}/members/",
    "/projects/{project}/data/",
    "/projects/{project}/build/",
    "/projects/{project}/rounds/",
    "/projects/{project}/rounds/0/",
    "/projects/{project}/rounds/1/",
    "/projects/{project}/rounds/1/runs/{run}/",
    "/projects/{project}/versions/{version}/",
    "/projects/{project}/label/",
    "/no-such-page/",
]
THEMES = [(WIDE, "light"), (WIDE, "dark"), (PHONE, "light"), (PHONE, "dark")]


@pytest.mark.parametrize(("viewport", "theme"), THEMES, ids=["wide-light", "wide-dark", "phone-light", "phone-dark"])
def test_no_page_has_a_serious_barrier(visit, viewport, theme):
    example = example_project()
    round_ = example_rounds(example, passed=False)
    Deployment.objects.create(  # with a history to roll back to
        project=example.project, version=round_.policy, state=DeploymentState.RETIRED, reason="It was better. " * 5
    )
    ada = visit("ada", viewport=viewport, color_scheme=theme)
    places = {
        "project": example.project.pk,
        "run": Run.objects.get(purpose="policy").pk,
        "version": round_.policy_id,
    }
    barriers = {}
    for path in ADMINS:
        ada.go(path.format(**places))
        barriers[path] = ada.serious_barriers() + ["scrolls sideways"] * ada.scrolls_sideways()
    assert {path: found for path, found in barriers.items() if found} == {}
    # pages that are forbidden or missing are announced in the console by the browser itself
    assert [said for said in ada.complaints if "status of 40" not in said] == []


@pytest.mark.parametrize(("viewport", "theme"), THEMES, ids=["wide-light", "wide-dark", "phone-light", "phone-dark"])
def test_neither_sign_in_nor_ranking_nor_launching_has_one(visit, viewport, theme):
    example = example_project()
    example_rounds(example, state=RoundState.LABELING)
    visitor = visit(viewport=viewport, color_scheme=theme)
    visitor.go("/login/")
    assert visitor.serious_barriers() == []

    annie = visit("annie", viewport=viewport, color_scheme=theme)
    page = annie.go(f"/projects/{example.project.pk}/label/")
    page.click("text=Start")
    expect(page.locator("#comparison h1")).to_be_focused()
    assert annie.serious_barriers() == []
    for key in "1123":
        page.keyboard.press(key)
    page.keyboard.press("?")
    assert annie.serious_barriers() == []
    assert not annie.scrolls_sideways()

    ada = visit("ada", viewport=viewport, color_scheme=theme)
    ada.go(f"/projects/{example.project.pk}/rounds/")
    assert ada.serious_barriers() == []
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
