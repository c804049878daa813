"""A day of work is not lost: not by a cut network, a reload, a second tab or a killed server. Nothing counts twice."""

import time

import pytest
from django.conf import settings
from playwright.sync_api import expect

from bench.labeling_page import percentile, rank_in_a_row
from feedback.domain.states import AssignmentState, UserKind
from feedback.models import Assignment, Draft, Judgment, User
from tests.e2e.conftest import PATIENCE_MS, WIDE, Visitor
from tests.e2e.site import Site
from tests.example import example_project

PAINTED_MS = 100
SOME_MACHINE_MS = 400
"""For a few tasks beside other tests; bench/labeling_page.py measures on an idle machine."""


@pytest.fixture
def n_tasks():
    return 6


@pytest.fixture
def example(n_tasks):
    example = example_project(n_tasks=n_tasks)
    # A program: these tests work faster than anybody reads, and a person would be held back.
    User.objects.filter(pk=example.annotator.pk).update(kind=UserKind.SIMULATED)
    return example


@pytest.fixture
def site(example, tmp_path):
    site = Site(tmp_path / "site.log")
    site.start()
    yield site
    site.kill()


@pytest.fixture
def annie(chromium, site):
    visitor = Visitor(chromium, site.url, viewport=WIDE).sign_in("annie")
    yield visitor
    visitor.context.close()


@pytest.fixture
def label_path(example):
    return f"/projects/{example.project.pk}/label/"


def start(visitor, path):
    page = visitor.go(path)
    page.click('text="Start"')
    page.wait_for_selector("#ranking")
    return page


def task_of(page) -> str:
    return page.input_value("#ranking [name=assignment]")


def wait_for_other_task(page, task):
    expect(page.locator("#ranking [name=assignment]")).not_to_have_value(task, timeout=PATIENCE_MS)


def rank(page, keys="2143"):
    for key in keys:
        page.keyboard.press(key)


def shown_ranks(page) -> dict[str, str]:
    cards = page.locator(".answer").all()
    return {card.get_attribute("data-letter"): card.locator("select").input_value() for card in cards}


def submitted_once() -> list[str]:
    """Return the client keys of what is stored, in order; a key that is there twice fails."""
    keys = list(Judgment.objects.order_by("pk").values_list("client_key", flat=True))
    assert len(keys) == len(set(keys))
    assert Judgment.objects.exclude(supersedes=None).count() == 0
    return keys


def wait_until(page, condition, *, patience_s=30.0):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        page.wait_for_timeout(50)  # the browser's requests are answered meanwhile, the routed ones too


@pytest.mark.parametrize("n_tasks", [13])
def test_the_next_task_is_painted_at_once(annie, label_path):
    page = start(annie, label_path)
    painted_ms = rank_in_a_row(page, n_tasks=12, pause_s=0.5)
    wait_until(page, lambda: Judgment.objects.count() == 12)
    assert len(submitted_once()) == 12
    assert percentile(painted_ms, 50) < SOME_MACHINE_MS
    assert annie.complaints == []


@pytest.mark.slow
@pytest.mark.looks
@pytest.mark.parametrize("n_tasks", [201])
def test_two_hundred_tasks_in_a_row_are_each_painted_at_once(annie, label_path):
    page = start(annie, label_path)
    painted_ms = rank_in_a_row(page, n_tasks=200, pause_s=0.3)
    wait_until(page, lambda: Judgment.objects.count() == 200)
    assert len(submitted_once()) == 200
    assert percentile(painted_ms, 95) < SOME_MACHINE_MS
    assert annie.complaints == []


def test_the_time_of_a_task_begins_when_it_is_shown(annie, label_path):
    page = annie.go(label_path)
    page.click('text="Start"')
    wait_until(page, lambda: Assignment.objects.count() == 2)
    waiting = Assignment.objects.get(shown_at=None)
    rank(page)
    page.keyboard.press("Enter")
    expect(page.locator("#ranking [name=assignment]")).to_have_value(str(waiting.pk))
    wait_until(page, lambda: Assignment.objects.get(pk=waiting.pk).shown_at is not None)


@pytest.mark.parametrize("cut_s", [3, pytest.param(30, marks=[pytest.mark.slow, pytest.mark.looks])])
def test_offline_the_work_goes_on_and_goes_out_once(annie, label_path, cut_s):
    page = annie.go(label_path)
    with page.expect_response("**/prefetch/"):
        page.click('text="Start"')
    first = task_of(page)
    annie.context.set_offline(True)
    rank(page)
    page.keyboard.press("Enter")
    wait_for_other_task(page, first)  # the one that was fetched in advance
    rank(page, "1234")
    second = task_of(page)
    page.keyboard.press("Enter")
    expect(page.locator("[data-outbox-late]")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("[data-outbox-late] [data-count]")).to_have_text("2")
    assert shown_ranks(page) == {"A": "1", "B": "2", "C": "3", "D": "4"}
    page.keyboard.press("4")  # what is on its way is not changed any more
    assert shown_ranks(page) == {"A": "1", "B": "2", "C": "3", "D": "4"}
    page.wait_for_timeout(cut_s * 1_000)
    assert Judgment.objects.count() == 0

    annie.context.set_offline(False)
    wait_for_other_task(page, second)
    expect(page.locator("[data-outbox-late]")).to_be_hidden(timeout=PATIENCE_MS)
    assert len(submitted_once()) == 2
    assert [str(judgment.assignment_id) for judgment in Judgment.objects.order_by("pk")] == [first, second]


def test_an_answer_that_is_lost_on_the_way_makes_no_second_judgment(annie, label_path):
    page = start(annie, label_path)
    lost = []

    def lose(route):
        if len(lost) < 2:
            lost.append(route.fetch().status)  # the server has stored it, and the browser never hears of it
            route.abort()
        else:
            route.continue_()

    page.route("**/submit/", lose)
    task = task_of(page)
    rank(page)
    page.keyboard.press("Enter")
    wait_for_other_task(page, task)
    wait_until(page, lambda: len(lost) == 2)
    expect(page.locator("[data-outbox-late]")).to_be_hidden(timeout=PATIENCE_MS)
    assert lost == [200, 200]
    assert len(submitted_once()) == 1


def test_a_reload_in_the_middle_of_a_submit_sends_it_from_the_browsers_memory(annie, label_path):
    page = start(annie, label_path)
    task = task_of(page)
    page.route("**/submit/", lambda route: route.abort())
    rank(page)
    page.keyboard.press("Enter")
    expect(page.locator("[data-outbox-late]")).to_be_visible(timeout=PATIENCE_MS)
    page.reload()
    page.wait_for_selector("#ranking")
    if task_of(page) == task:  # the server does not know it yet, and what was submitted is shown, not an empty form
        assert shown_ranks(page) == {"B": "1", "A": "2", "D": "3", "C": "4"}
    page.unroute("**/submit/")
    page.reload()
    wait_for_other_task(page, task)
    wait_until(page, lambda: Judgment.objects.count() == 1)
    assert Judgment.objects.get().assignment_id == int(task)
    assert len(submitted_once()) == 1


def test_a_draft_survives_a_reload_and_another_device(annie, chromium, site, label_path):
    page = start(annie, label_path)
    rank(page, "21")
    page.click("summary:text('Add a remark')")
    page.fill("[name=rationale]", "B says where to go")
    expect(page.locator("[data-draft-status]")).to_have_text("Draft saved")
    page.reload()
    assert shown_ranks(page) == {"B": "1", "A": "2", "C": "", "D": ""}
    assert page.input_value("[name=rationale]") == "B says where to go"

    phone = Visitor(chromium, site.url, viewport=WIDE).sign_in("annie")
    other = phone.go(label_path)
    assert shown_ranks(other) == {"B": "1", "A": "2", "C": "", "D": ""}
    assert other.input_value("[name=rationale]") == "B says where to go"
    phone.context.close()


def test_a_reload_before_anything_is_saved_keeps_what_was_typed(annie, label_path):
    page = start(annie, label_path)
    page.route("**/draft/", lambda route: route.abort())  # also the one that is sent while the page goes away
    rank(page, "34")
    page.reload()
    assert shown_ranks(page) == {"A": "3", "B": "4", "C": "", "D": ""}
    page.unroute("**/draft/")
    wait_until(page, Draft.objects.exists)


def test_a_crashed_tab_loses_nothing(annie, label_path):
    page = start(annie, label_path)
    page.route("**/draft/", lambda route: route.abort())
    rank(page, "12")
    page.close()
    page = annie.context.new_page()
    page.goto(annie.root + label_path)
    assert shown_ranks(page) == {"A": "1", "B": "2", "C": "", "D": ""}


def test_a_tab_with_an_older_version_is_told_and_overwrites_nothing(annie, label_path):
    page = start(annie, label_path)
    other = annie.context.new_page()
    other.goto(annie.root + label_path)
    rank(page, "12")
    wait_until(page, Draft.objects.exists)
    kept = Draft.objects.get().fields
    other.bring_to_front()
    rank(other, "43")
    expect(other.locator("[data-draft-outdated]")).to_be_visible()
    assert Draft.objects.get().fields == kept
    other.click("[data-draft-newer]")
    expect(other.locator("[data-draft-outdated]")).to_be_hidden()
    assert shown_ranks(other) == {"A": "1", "B": "2", "C": "", "D": ""}


def test_a_task_that_was_submitted_in_another_tab_is_not_submitted_again(annie, label_path):
    page = start(annie, label_path)
    other = annie.context.new_page()
    other.goto(annie.root + label_path)
    task = task_of(page)
    rank(page)
    page.keyboard.press("Enter")
    wait_for_other_task(page, task)
    wait_for_other_task(other, task)
    assert len(submitted_once()) == 1


def test_a_killed_server_loses_no_judgment_and_no_draft(annie, site, label_path):
    page = annie.go(label_path)
    with page.expect_response("**/prefetch/"):
        page.click('text="Start"')
    rank(page)
    with page.expect_response("**/prefetch/"):
        page.keyboard.press("Enter")
    wait_until(page, lambda: Judgment.objects.count() == 1)
    site.kill()
    task = task_of(page)
    rank(page, "1234")
    page.keyboard.press("Enter")
    wait_for_other_task(page, task)
    rank(page, "34")
    expect(page.locator("[data-outbox-late]")).to_be_visible(timeout=PATIENCE_MS)
    assert Judgment.objects.count() == 1

    site.start()
    wait_until(page, lambda: Judgment.objects.count() == 2)
    expect(page.locator("[data-outbox-late]")).to_be_hidden(timeout=PATIENCE_MS)
    wait_until(page, Draft.objects.exists)
    page.reload()
    assert shown_ranks(page) == {"A": "3", "B": "4", "C": "", "D": ""}
    assert len(submitted_once()) == 2


def test_a_refused_judgment_comes_back_with_what_was_typed(annie, label_path):
    page = annie.go(label_path)
    with page.expect_response("**/prefetch/"):
        page.click('text="Start"')
    task = task_of(page)
    rank(page)
    Assignment.objects.filter(pk=task).update(state=AssignmentState.RELEASED)
    page.keyboard.press("Enter")
    expect(page.locator("#comparison [role=alert]")).to_contain_text("You gave this task back")
    assert task_of(page) == task
    assert shown_ranks(page) == {"B": "1", "A": "2", "D": "3", "C": "4"}

    page.reload()  # now the task in hand is another one, and what was refused is still there
    wait_for_other_task(page, task)
    page.click("[data-outbox-refused] summary")
    expect(page.locator("[data-outbox-refused] [data-typed]")).to_contain_text("rank_B: 1")
    page.click("[data-discard]")
    page.reload()
    page.wait_for_selector("#ranking")
    assert page.locator("[data-outbox-refused] > *").count() == 0
    assert Judgment.objects.count() == 0


def test_whoever_signs_out_meanwhile_is_asked_to_sign_in_and_loses_nothing(annie, label_path):
    page = start(annie, label_path)
    rank(page)
    annie.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.keyboard.press("Enter")
    page.click("[data-outbox-sign-in] a")
    page.fill("#id_username, #id_login", "annie")
    page.fill("#id_password", "a long enough secret")
    page.click("main button[type=submit]")
    wait_until(page, lambda: Judgment.objects.count() == 1)
    assert len(submitted_once()) == 1


def test_active_time_counts_a_minute_after_the_last_input_and_no_more(annie, label_path):
    annie.context.clock.install()
    page = start(annie, label_path)
    page.keyboard.press("1")
    annie.context.clock.run_for(30_000)
    page.keyboard.press("2")
    annie.context.clock.run_for(600_000)  # away for ten minutes
    page.keyboard.press("3")
    annie.context.clock.run_for(5_000)
    page.keyboard.press("4")
    page.keyboard.press("Enter")
    wait_until(page, lambda: Judgment.objects.count() == 1)
    assert 94 <= Judgment.objects.get().active_s <= 100


def test_own_work_can_be_found_and_corrected(annie, label_path):
    page = start(annie, label_path)
    task = task_of(page)
    rank(page)
    page.keyboard.press("Enter")
    wait_for_other_task(page, task)
    wait_until(page, lambda: Judgment.objects.count() == 1)
    page.click("text=My work")
    page.click(".work-list >> text=Change")
    assert shown_ranks(page) == {"B": "1", "A": "2", "D": "3", "C": "4"}
    page.keyboard.press("d")
    page.keyboard.press("ArrowUp")
    page.click("[data-submit]")
    page.wait_for_url(f"**{label_path}")
    assert Judgment.objects.exclude(supersedes=None).count() == 1
    assert annie.complaints == []
