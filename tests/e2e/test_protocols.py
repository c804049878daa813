"""Every kind of task from the first look to the stored judgment: by mouse, by keys alone and with plain form fields."""

import dataclasses
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from feedback.domain.protocol import DEFAULT_DIMENSIONS, Dimension, Editing, ProtocolKind, ProtocolOptions
from feedback.domain.verdict import Verdict
from feedback.models import Judgment
from feedback.selectors.judgment import judgment_verdict
from tests.e2e.conftest import PHONE, WIDE
from tests.example import ANSWERS, example_project
from tests.feedback.factories import ProtocolFactory, TaskFactory

pytestmark = pytest.mark.looks

CLEAR = Dimension("clear", "Clear", "Muddled", "Clear at once", points=3)
BETTER = "Take the river path: 20 minutes on foot."


@dataclasses.dataclass(frozen=True)
class Case:
    kind: ProtocolKind
    options: ProtocolOptions
    n_answers: int
    mouse: Callable[[Page], None]
    keys: list[str]
    """Pressed one after the other; a text of several characters that is no key is typed."""
    plain: Callable[[Page], None]
    expected: Verdict
    """By letters, as all three ways give it."""


def tick(page, name, value=None):
    """Tick what may lie under the label that a person presses."""
    selector = f'[name="{name}"]' + (f'[value="{value}"]' if value else "")
    page.locator("label", has=page.locator(selector)).click()


def flag(page, letter, value):
    page.click(f'[data-letter="{letter}"] .flags > summary')
    tick(page, f"flag_{letter}", value)


def rank_by_mouse(page):
    for letter, rank in {"B": "1", "A": "2", "C": "2"}.items():
        page.select_option(f"[name=rank_{letter}]", rank)
    tick(page, "cannot_D")
    flag(page, "C", "untrue")
    tick(page, "all_bad")


def rank_top_by_mouse(page):
    page.select_option("[name=rank_C]", "1")
    page.select_option("[name=rank_A]", "2")


def compare_by_mouse(page):
    tick(page, "strength", "B2")
    for letter, points in {"A": "1", "B": "3"}.items():
        tick(page, f"rating_clear_{letter}", points)


def rate_by_mouse(page):
    for letter, points in {"A": "531", "B": "124"}.items():
        for dimension, point in zip(DEFAULT_DIMENSIONS, points, strict=True):
            tick(page, f"rating_{dimension.key}_{letter}", point)


def improve_by_mouse(page):
    tick(page, "strength", "A3")
    expect(page.locator("[name=edited_answer]")).to_have_value(ANSWERS_BY_ITEM["A"](page))
    page.fill("[name=edited_answer]", BETTER)


def improve_plainly(page):
    tick(page, "strength", "A3")
    page.click("text=Start from its text")
    page.wait_for_selector("#ranking")
    expect(page.locator("[name=edited]")).to_have_value("A")
    assert page.input_value("[name=edited_answer]") in ANSWERS
    page.fill("[name=edited_answer]", BETTER)


def write(page):
    page.fill("[name=edited_answer]", BETTER)


ANSWERS_BY_ITEM = {
    "A": lambda page: page.locator('template[data-raw="A"]').evaluate("node => node.content.textContent")
}
CASES = {
    "rank": Case(
        ProtocolKind.RANK,
        ProtocolOptions(),
        4,
        rank_by_mouse,
        ["d", "x", "b", "1", "a", "2", "c", "2", "m", "3", "Escape", "0"],
        rank_by_mouse,
        Verdict(ranks=(2, 1, 2, None), cannot_judge=(3,), flags=((2, "untrue"),), all_bad=True),
    ),
    "top-2": Case(
        ProtocolKind.RANK,
        ProtocolOptions(top_k=2),
        4,
        rank_top_by_mouse,
        ["c", "1", "a", "2"],
        rank_top_by_mouse,
        Verdict(ranks=(2, None, 1, None)),
    ),
    "pairwise": Case(
        ProtocolKind.PAIRWISE,
        ProtocolOptions(dimensions=(CLEAR,)),
        2,
        compare_by_mouse,
        ["6", "r", "1", "3"],
        compare_by_mouse,
        Verdict(ranks=(2, 1), strength=2, ratings={"clear": (1, 3)}),
    ),
    "rate": Case(
        ProtocolKind.RATE,
        ProtocolOptions(dimensions=DEFAULT_DIMENSIONS),
        2,
        rate_by_mouse,
        list("531124"),
        rate_by_mouse,
        Verdict(ratings={"helpful": (5, 1), "honest": (3, 2), "harmless": (1, 4)}, ranks=(None, None)),
    ),
    "improve": Case(
        ProtocolKind.PAIRWISE,
        ProtocolOptions(editing=Editing.MUST),
        2,
        improve_by_mouse,
        ["1", "p", "Control+a", BETTER, "Escape"],
        improve_plainly,
        Verdict(ranks=(1, 2), strength=3, edited_position=0, edited_answer=BETTER),
    ),
    "write": Case(
        ProtocolKind.WRITE,
        ProtocolOptions(),
        0,
        write,
        ["y", BETTER, "Control+Enter"],
        write,
        Verdict(edited_answer=BETTER),
    ),
}


def project_of(case):
    example = example_project(n_tasks=0 if case.n_answers == 0 else 2, n_answers=max(case.n_answers, 2))
    ProtocolFactory(project=example.project, kind=case.kind, options=case.options.to_json())
    if case.n_answers == 0:
        for text in ("How far is it?", "And by boat?"):
            TaskFactory(project=example.project, prompt__text=text, n_answers=0)
    return f"/projects/{example.project.pk}/label/"


def stored(page, **wanted):
    """Return the judgment once the server has it: the next task is on the screen before."""
    for _ in range(100):
        if judgment := Judgment.objects.filter(**wanted).first():
            return judgment_verdict(judgment=judgment)
        page.wait_for_timeout(50)
    raise AssertionError(page.locator(".ranking-status, [role=alert]").all_inner_texts())


def press(page, keys):
    for key in keys:
        if len(key) == 1 or key in {"Escape", "Enter"} or "+" in key:
            page.keyboard.press(key)
        else:
            page.keyboard.type(key)


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("hand", ["mouse", "keys", "plain"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_judgment_of_every_kind_is_stored_as_it_was_given(visit, case, hand, viewport):
    path = project_of(case)
    annie = visit("annie", viewport=viewport, java_script_enabled=hand != "plain")
    page = annie.go(path)
    page.click("text=Start")
    page.wait_for_selector("#ranking")
    before = page.input_value("[name=assignment]")
    if hand == "keys":
        press(page, case.keys)
        if case.keys[-1] != "Control+Enter":
            page.keyboard.press("Enter")
    else:
        (case.mouse if hand == "mouse" else case.plain)(page)
        page.click("[data-submit]")
    expect(page.locator("[name=assignment]")).not_to_have_value(before)
    assert stored(page) == case.expected
    assert hand == "plain" or not annie.scrolls_sideways()
    assert annie.complaints == []

    page.click("text=Undo the last")
    page.wait_for_selector("text=Changing an earlier judgment")
    page.click("[data-submit]")
    page.wait_for_selector("text=The judgment is changed.")
    assert stored(page, supersedes__isnull=False) == case.expected
