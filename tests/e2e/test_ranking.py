"""People rank with a mouse, a finger, a keyboard, or with plain form fields: what they see is what is stored."""

import pytest
from playwright.sync_api import expect

from feedback.models import Assignment, Judgment
from tests.e2e.conftest import PHONE, WIDE


@pytest.fixture
def label_path(example):
    return f"/projects/{example.project.pk}/label/"


def start(visitor, path):
    page = visitor.go(path)
    page.click("text=Start")
    expect(page.locator("#comparison h1")).to_be_focused()
    return page


def shown_ranks(page) -> dict[str, str]:
    cards = page.locator(".answer").all()
    return {card.get_attribute("data-letter"): card.locator("select").input_value() for card in cards}


def shown_order(page) -> str:
    return "".join(card.get_attribute("data-letter") for card in page.locator(".answer").all())


def submit(page):
    before = page.locator("[name=assignment]").input_value()
    page.click("[data-submit]")
    expect(page.locator("[name=assignment]")).not_to_have_value(before)


def expect_queue(page, text):
    expect(page.locator("[data-queue]")).to_have_text(text)


def judged(page, **wanted) -> Judgment:
    """Return the judgment once the server has it: the next task is on the screen before."""
    for _ in range(100):
        if judgment := Judgment.objects.filter(**wanted).first():
            return judgment
        page.wait_for_timeout(50)
    raise AssertionError("nothing was stored")


def stored_by_letter(judgment) -> dict[str, int]:
    order = Assignment.objects.get(pk=judgment.assignment_id).order
    return {"ABCDEFGHI"[shown]: judgment.ranks[item] for shown, item in enumerate(order)}


def drag(page, letter, onto, *, above):
    grip = page.locator(f'[data-letter="{letter}"] .grip')
    box = grip.bounding_box()
    target = page.locator(f'[data-letter="{onto}"] .answer-card').bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    y = target["y"] + 4 if above else target["y"] + target["height"] - 4
    page.mouse.move(box["x"], box["y"] - 10, steps=4)
    page.mouse.move(box["x"], y, steps=12)
    page.wait_for_timeout(250)
    page.mouse.up()
    page.wait_for_timeout(250)


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "390"])
def test_dragging_an_answer_to_the_top_ranks_it_first(visit, example, label_path, viewport):
    annie = visit("annie", viewport=viewport)
    page = start(annie, label_path)
    assert shown_ranks(page) == {"A": "", "B": "", "C": "", "D": ""}

    drag(page, "C", "A", above=True)

    assert shown_order(page) == "CABD"
    assert shown_ranks(page) == {"C": "1", "A": "2", "B": "3", "D": "4"}
    submit(page)
    assert stored_by_letter(judged(page)) == {"C": 1, "A": 2, "B": 3, "D": 4}
    assert not annie.scrolls_sideways()
    assert annie.complaints == []


def test_keys_rank_tie_move_and_submit_without_a_mouse(visit, label_path):
    annie = visit("annie")
    page = start(annie, label_path)
    for key in "2143":
        page.keyboard.press(key)
    assert shown_ranks(page) == {"B": "1", "A": "2", "D": "3", "C": "4"}

    page.keyboard.press("a")
    page.keyboard.press("t")
    assert shown_ranks(page) == {"B": "1", "A": "1", "D": "2", "C": "3"}
    assert page.locator(".answer.is-tied").count() == 1
    page.keyboard.press("c")
    page.keyboard.press("ArrowUp")
    assert shown_ranks(page) == {"B": "1", "A": "1", "C": "2", "D": "3"}
    assert page.evaluate("document.activeElement.dataset.letter") == "C"

    before = page.locator("[name=assignment]").input_value()
    page.keyboard.press("Enter")
    expect(page.locator("[name=assignment]")).not_to_have_value(before)
    expect(page.locator("#comparison h1")).to_be_focused()
    assert page.evaluate("window.scrollY") == 0
    assert stored_by_letter(judged(page)) == {"A": 1, "B": 1, "C": 3, "D": 4}
    assert annie.complaints == []


def test_open_guidelines_stay_open_for_the_next_task(visit, label_path):
    page = start(visit("annie"), label_path)
    page.click("summary:text('Guidelines')")
    for key in "1234":
        page.keyboard.press(key)
    submit(page)
    expect(page.locator(".ranking-guidelines .prose")).to_be_visible()


def test_undo_brings_back_what_was_before(visit, label_path):
    page = start(visit("annie"), label_path)
    for key in "1234":
        page.keyboard.press(key)
    page.keyboard.press("d")
    page.keyboard.press("ArrowUp")
    assert shown_order(page) == "ABDC"
    page.keyboard.press("z")
    assert shown_order(page) == "ABCD"
    assert shown_ranks(page) == {"A": "1", "B": "2", "C": "3", "D": "4"}


def test_enter_on_an_untouched_ranking_asks_first_and_stores_nothing(visit, label_path):
    page = start(visit("annie"), label_path)
    page.keyboard.press("Enter")
    assert page.locator("#untouched").is_visible()
    page.keyboard.press("Enter")  # the button in focus goes back
    assert not page.locator("#untouched").is_visible()
    assert Judgment.objects.count() == 0

    page.keyboard.press("Enter")
    page.click("text=Submit this order")
    expect_queue(page, "2 tasks left")
    assert stored_by_letter(judged(page)) == {"A": 1, "B": 2, "C": 3, "D": 4}


def test_enter_on_a_half_ranking_says_what_is_missing(visit, label_path):
    page = start(visit("annie"), label_path)
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    assert "B, C, D" in page.locator(".ranking-status").inner_text()
    assert Judgment.objects.count() == 0


def test_a_dropped_card_joins_a_tie_only_between_tied_cards(visit, label_path):
    page = start(visit("annie"), label_path)
    for key in "1123":
        page.keyboard.press(key)
    assert shown_ranks(page) == {"A": "1", "B": "1", "C": "2", "D": "3"}
    drag(page, "D", "B", above=True)
    assert shown_ranks(page) == {"A": "1", "D": "1", "B": "1", "C": "2"}


def test_a_finger_on_an_answer_scrolls_and_never_reorders(visit, label_path):
    annie = visit("annie", viewport=PHONE, has_touch=True, is_mobile=True)
    page = annie.go(label_path)
    page.tap("text=Start")
    page.wait_for_selector("#ranking")
    touch = annie.context.new_cdp_session(page)
    body = page.locator('[data-letter="C"] .answer-body').bounding_box()
    x, y = body["x"] + 40, body["y"] + 10
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 11):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y - 20 * step}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(300)
    assert shown_order(page) == "ABCD"
    assert shown_ranks(page) == {"A": "", "B": "", "C": "", "D": ""}
    assert page.evaluate("window.scrollY") > 0


def test_ranking_works_without_scripts(visit, example, label_path):
    annie = visit("annie", java_script_enabled=False)
    page = annie.go(label_path)
    page.click("text=Start")
    for letter, rank in {"A": "2", "B": "1", "C": "2", "D": "3"}.items():
        page.select_option(f"[name=rank_{letter}]", rank)
    page.click("[data-submit]")
    page.wait_for_selector("#ranking")
    assert stored_by_letter(judged(page)) == {"B": 1, "A": 2, "C": 2, "D": 4}
    expect_queue(page, "2 tasks left")
    page.click(".skip > summary")
    page.click("text=I lack the knowledge")
    page.wait_for_selector("#ranking")
    expect_queue(page, "1 task left")


def test_the_last_ranking_can_be_changed_and_the_end_is_said(visit, label_path):
    page = start(visit("annie"), label_path)
    for left in ("2 tasks left", "1 task left", ""):
        for key in "2143":
            page.keyboard.press(key)
        page.keyboard.press("Enter")
        if left:
            expect_queue(page, left)
    page.wait_for_selector("text=Nothing left to do")

    page.click("text=Undo the last")
    expect(page.locator(".answer").first).to_have_attribute("data-letter", "B")
    assert shown_ranks(page) == {"B": "1", "A": "2", "D": "3", "C": "4"}
    page.keyboard.press("d")
    page.keyboard.press("ArrowUp")
    page.click("text=Save the change")
    page.wait_for_selector("text=The judgment is changed.")
    changed = judged(page, supersedes__isnull=False)
    assert stored_by_letter(changed) == {"B": 1, "D": 2, "A": 3, "C": 4}


def test_a_lost_network_keeps_the_ranking_on_the_screen(visit, label_path):
    annie = visit("annie")
    annie.context.route("**/prefetch/", lambda route: route.abort())  # else the next task would take its place
    page = start(annie, label_path)
    for key in "1234":
        page.keyboard.press(key)
    annie.context.set_offline(True)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The server cannot be reached")
    assert shown_ranks(page) == {"A": "1", "B": "2", "C": "3", "D": "4"}
    annie.context.set_offline(False)
    page.click("[data-submit]")
    expect_queue(page, "2 tasks left")
    assert Judgment.objects.count() == 1
