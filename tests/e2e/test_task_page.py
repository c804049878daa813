"""What makes a day of tasks bearable: folds, differences, warnings, reasons to skip, and a key for each of them."""

import pytest
from playwright.sync_api import expect

from feedback.domain.protocol import ProtocolKind, ProtocolOptions
from feedback.domain.states import AssignmentState
from feedback.models import Assignment, Judgment, Membership, Prompt, Report, Response, Transition
from tests.e2e.conftest import PHONE, WIDE
from tests.example import example_project
from tests.feedback.factories import ProtocolFactory

pytestmark = pytest.mark.looks

LONG = "\n\n".join(f"Paragraph {n} goes on about the harbour." for n in range(60))


@pytest.fixture
def pair():
    """Two answers, of which the first is long, under a comparison."""
    example = example_project(n_answers=2)
    options = ProtocolOptions(warnings={"war": "It tells of war."})
    ProtocolFactory(project=example.project, kind=ProtocolKind.PAIRWISE, options=options.to_json())
    Response.objects.filter(text__startswith="Take").update(
        text=f"The road is long.\n\n{LONG}\n\n[end](https://a.example)"
    )
    Response.objects.filter(text__startswith="The river").update(text=f"The road is short.\n\n{LONG}")
    return example


def start(visitor, example):
    page = visitor.go(f"/projects/{example.project.pk}/label/")
    page.click('text="Start"')
    page.wait_for_selector("#ranking", state="attached")
    return page


def marked(page) -> list[str]:
    return page.evaluate("[...(CSS.highlights.get('difference') ?? [])].map(String)")


def wait_until(page, condition):
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came true")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "390"])
def test_long_answers_fold_and_unfold_by_key_and_stay_unfolded(visit, pair, viewport):
    annie = visit("annie", viewport=viewport)
    page = start(annie, pair)
    answer = page.locator('[data-letter="A"] .answer-body')
    folded = answer.bounding_box()["height"]
    expect(page.locator('[data-letter="A"] .unfold')).to_have_text("Show all")
    page.keyboard.press("a")
    page.keyboard.press("o")
    assert answer.bounding_box()["height"] > 2 * folded
    expect(page.locator('[data-letter="A"] .unfold')).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("o")
    assert answer.bounding_box()["height"] == folded

    page.keyboard.press("Shift+O")
    assert answer.bounding_box()["height"] > 2 * folded
    page.reload()
    assert page.locator('[data-letter="B"] .answer-body').bounding_box()["height"] > 2 * folded
    assert not page.locator(".unfold").first.is_visible()
    page.click("[data-unfold-all]")
    assert answer.bounding_box()["height"] == folded
    assert annie.complaints == []


def test_what_differs_between_two_answers_is_marked_and_unmarked(visit, pair):
    annie = visit("annie")
    page = start(annie, pair)
    page.keyboard.press("d")
    assert sorted(word for word in marked(page) if word != "end") == ["long", "short"]
    expect(page.locator(".ranking-status")).to_contain_text("3 words of A and B differ")
    page.keyboard.press("v")
    assert marked(page) == []
    page.click('[data-letter="A"] .differ')
    assert "long" in marked(page)
    page.keyboard.press("b")
    page.keyboard.press("7")
    page.keyboard.press("Enter")
    wait_until(page, Judgment.objects.exists)
    wait_until(page, lambda: not marked(page))
    assert annie.complaints == []


def test_the_list_of_keys_names_those_of_this_kind_of_task(visit, pair):
    page = start(visit("annie"), pair)
    page.keyboard.press("?")
    said = page.locator("#keys").inner_text()
    assert "B much better" in said
    assert "Tie it" not in said
    page.keyboard.press("7")  # the list has the keys to itself
    page.keyboard.press("Escape")
    assert page.locator("[name=strength]:checked").count() == 0


def test_a_number_says_why_a_task_is_skipped(visit, pair):
    annie = visit("annie")
    page = start(annie, pair)
    before = page.input_value("[name=assignment]")
    page.keyboard.press("s")
    page.keyboard.press("Escape")
    expect(page.locator(".skip-panel")).to_be_hidden()
    page.keyboard.press("s")
    page.keyboard.press("2")
    expect(page.locator("[name=assignment]")).not_to_have_value(before)
    released = Assignment.objects.get(state=AssignmentState.RELEASED)
    assert "expertise" in Transition.objects.filter(object_id=released.pk, to_state="released").get().reason
    assert released.active_s is not None
    assert annie.complaints == []


def test_a_report_by_key_keeps_what_was_chosen(visit, pair):
    annie = visit("annie")
    page = start(annie, pair)
    page.keyboard.press("5")
    page.keyboard.press("w")
    page.keyboard.type("The prompt is cut off.")
    page.click("text=Send the report")
    page.wait_for_selector("text=Thank you.")
    assert Report.objects.get().text == "The prompt is cut off."
    expect(page.locator("[name=strength]:checked")).to_have_value("B1")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    wait_until(page, Judgment.objects.exists)
    assert annie.complaints == []


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])
def test_a_warned_of_task_is_hidden_until_it_is_asked_for(visit, pair, has_scripts):
    Prompt.objects.update(tags=["war"])
    annie = visit("annie", java_script_enabled=has_scripts)
    page = start(annie, pair)
    expect(page.locator("text=It tells of war.")).to_be_visible()
    expect(page.locator(".turns").first).to_be_hidden()
    if has_scripts:
        page.keyboard.press("7")
        assert page.locator("[name=strength]:checked").count() == 0
        assert annie.serious_barriers() == []
        page.keyboard.press("Enter")
    else:
        page.click("text=Show the task")
    expect(page.locator(".turns").first).to_be_visible()
    page.click("text=Hide it")
    page.click("text=Never show me tasks like this")
    page.wait_for_selector("text=Nothing left to do")
    assert Membership.objects.get(user=pair.annotator).opted_out_tags == ["war"]
    assert annie.complaints == []


def test_undo_by_key_brings_the_last_judgment_back(visit, pair):
    annie = visit("annie")
    page = start(annie, pair)
    page.keyboard.press("3")
    page.keyboard.press("n")
    page.keyboard.type("Shorter.")
    before = page.input_value("[name=assignment]")
    page.keyboard.press("Control+Enter")
    wait_until(page, Judgment.objects.exists)
    expect(page.locator("[name=assignment]")).not_to_have_value(before)
    page.keyboard.press("u")
    page.wait_for_selector("text=Changing an earlier judgment")
    expect(page.locator("[name=strength]:checked")).to_have_value("A1")
    expect(page.locator("[name=rationale]")).to_have_value("Shorter.")
    assert annie.serious_barriers() == []
    page.keyboard.press("6")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The judgment is changed.")
    assert Judgment.objects.get(superseded_by=None).strength == 2
    assert annie.complaints == []


def test_who_holds_enter_down_answers_one_task(visit, pair):
    page = start(visit("annie"), pair)
    page.keyboard.press("4")
    page.keyboard.down("Enter")
    wait_until(page, Judgment.objects.exists)
    for _ in range(5):
        page.keyboard.down("Enter")  # repeats
    page.wait_for_timeout(300)
    page.keyboard.up("Enter")
    assert Judgment.objects.count() == 1
