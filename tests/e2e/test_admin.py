"""An admin and a researcher do their work in a browser."""

import json

import pytest
from playwright.sync_api import expect

from alignment.domain.states import RoundState
from alignment.models import Deployment, Round
from feedback.models import Project, Prompt
from tests.e2e.conftest import PHONE, WIDE
from tests.example import example_rounds
from tests.feedback.factories import UserFactory


def test_a_project_is_made_and_filled_with_people_and_prompts(visit, example, tmp_path):
    UserFactory(username="mia")
    ada = visit("ada")
    page = ada.go("/projects/new/")
    page.fill("#id_name", "Letters")
    page.fill("#id_guidelines", "# Be kind")
    page.fill("#id_answers_per_task", "12")
    page.click("text=Make the project")
    expect(page.locator(".errorlist")).to_contain_text("9")
    page.fill("#id_answers_per_task", "3")
    page.click("text=Make the project")
    expect(page.locator("h1")).to_have_text("Letters")
    expect(page.locator(".toast")).to_contain_text("The project is made")

    page.click("nav >> text=Members")
    page.fill("#id_username", "mia")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#members")).to_contain_text("mia")

    page.click("nav >> text=Prompts")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"prompt": "One?"}\n{"prompt": \n')
    page.set_input_files("#id_file", broken)
    page.click("button:text('Upload')")
    expect(page.locator(".errorlist")).to_contain_text("Line 2")
    assert not Prompt.objects.filter(project__name="Letters").exists()
    good = tmp_path / "good.txt"
    good.write_text("One?\nTwo?\n")
    page.set_input_files("#id_file", good)
    page.click("button:text('Upload')")
    expect(page.locator(".note.good")).to_contain_text("2 added")
    assert Prompt.objects.filter(project=Project.objects.get(name="Letters")).count() == 2


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "390"])
def test_a_recipe_is_refused_beside_its_field_and_keeps_what_was_typed(visit, example, viewport):
    example_rounds(example, state=RoundState.LABELING)
    ada = visit("ada", viewport=viewport)
    page = ada.go(f"/projects/{example.project.pk}/rounds/")
    expect(page.locator("#id_dpo_beta")).to_be_hidden()
    page.check("[name=method][value=dpo]")
    expect(page.locator("#id_rloo_n_steps")).to_be_hidden()
    page.fill("#id_dpo_beta", "11")
    page.click("#launch button[type=submit]")
    expect(page.locator(".part-dpo .errorlist")).to_contain_text("beta must be in (0, 10]")
    expect(page.locator("#id_dpo_beta")).to_have_value("11")
    assert Round.objects.get(number=1).state == RoundState.LABELING


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])
def test_deploying_against_the_gate_asks_for_a_reason(visit, example, has_scripts):
    round_ = example_rounds(example, passed=False)
    ada = visit("ada", java_script_enabled=has_scripts)
    page = ada.go(f"/projects/{example.project.pk}/rounds/1/")
    page.click("text=Deploy against the gate")
    assert not Deployment.objects.filter(round=round_).exists()  # the browser asks for the reason first
    page.fill("#reason", "Length is what we want.")
    page.click("text=Deploy against the gate")
    expect(page.locator(".toast")).to_contain_text("being deployed")
    assert Deployment.objects.get(round=round_).reason == "Length is what we want."


def test_cancelling_a_round_is_asked_twice(visit, example):
    round_ = example_rounds(example, state=RoundState.POLICY)
    page = visit("ada").go(f"/projects/{example.project.pk}/rounds/1/")
    expect(page.locator("text=Yes, cancel it")).to_be_hidden()
    page.click("summary:text('Cancel the round')")
    page.fill("#cancel-reason", "wrong recipe")
    page.click("text=Yes, cancel it")
    expect(page.locator(".toast")).to_contain_text("cancelled")
    round_.refresh_from_db()
    assert round_.state == RoundState.CANCELLED


def test_a_researcher_downloads_preferences_and_makes_a_key(visit, example):
    example_rounds(example)
    rosa = visit("rosa")
    page = rosa.go(f"/projects/{example.project.pk}/data/")
    with page.expect_download() as downloaded:
        page.click("text=preferences.jsonl >> nth=0")
    rows = [json.loads(line) for line in downloaded.value.path().read_text().splitlines()]
    assert len(rows) == 6
    assert {"prompt", "chosen", "rejected", "annotator"} <= set(rows[0])

    rosa.go("/account/keys/")
    page.fill("#id_name", "notebook")
    page.check("[value=export]")
    page.click("text=Make the key")
    expect(page.locator("#clear-text")).to_be_visible()
    page.reload()
    expect(page.locator("#clear-text")).to_have_count(0)
    page.click("button:has-text('Revoke')")
    expect(page.locator("#tokens")).to_contain_text("You have no keys.")
