"""Live comparisons in a browser, against two policy servers of very different speed, with a real worker and broker."""

import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings as house_settings
from django.db import connection
from playwright.sync_api import expect

from config.environment import broker_socket
from config.supervisor.broker import valkey_command, wait_for_broker
from feedback.domain.protocol import ProtocolKind
from feedback.domain.states import Role, TurnState
from feedback.models import Assignment, Judgment, Turn, TurnAnswer
from feedback.selectors.preference import preference_rows
from feedback.services.answering import turns_wake
from feedback.views import live
from tests.e2e.conftest import PHONE, WIDE
from tests.feedback.factories import MembershipFactory, ProjectFactory, UserFactory
from tests.private_postgres import free_port

ROOT = Path(__file__).resolve().parents[2]
QUICK = "swift " * 50 + "after {n} messages"
SLOW = "heavy " * 36 + "after {n} messages"
QUICK_S, SLOW_S = 0.002, 0.1
ANSWERED_MS = 30_000
"""Four seconds of the slow server, on a machine that does other things as well."""


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    socket = broker_socket(house_settings.HOME)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = subprocess.Popen(valkey_command(socket_path=socket, data_dir=tmp_path_factory.mktemp("valkey")))
    wait_for_broker(socket, is_running=lambda: server.poll() is None)
    yield
    server.terminate()
    server.wait()


@pytest.fixture
def processes():
    """Start programs that end with the test."""
    started = []

    def start(*command, **environment):
        process = subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT, env=os.environ | environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


class Servers:
    """A quick and a slow policy server, each a process with a port and a key of its own."""

    def __init__(self, processes):
        self._processes = processes
        self.ports = {"quick": free_port(), "slow": free_port()}
        self.running = {name: self.start(name) for name in self.ports}

    def start(self, name):
        text, delay_s = {"quick": (QUICK, QUICK_S), "slow": (SLOW, SLOW_S)}[name]
        options = {"port": self.ports[name], "name": f"{name}-model", "key": f"{name} key", "text": text}
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        return self._processes("tests/alignment/fake", "serve", *arguments, "--delay-s", delay_s)

    def stop(self, name):
        self.running[name].kill()
        self.running[name].wait()

    def endpoints(self):
        return {
            name: {
                "url": f"http://127.0.0.1:{port}", "model": f"{name}-model", "key": f"{name} key", "private": True
            }
            for name, port in self.ports.items()
        }  # fmt: skip


@pytest.fixture
def servers(processes, settings):
    servers = Servers(processes)
    settings.FOREIGN_ENDPOINTS = servers.endpoints()
    return servers


@pytest.fixture
def worker(processes, servers, valkey):
    """Start a worker of the queue `live`, as the supervisor does."""

    def start():
        return processes(
            *("-m", "celery", "-A", "config", "--quiet", "worker", "--queues", "live", "--pool", "threads"),
            *("--concurrency", "8", "--without-gossip", "--without-mingle", "-n", f"live{time.monotonic_ns()}@test"),
            PLUMBLINE_HOME=str(house_settings.HOME),
            SECRET_KEY=secrets.token_hex(32),
            DJANGO_SETTINGS_MODULE="tests.alignment.worker_settings",
            BROKER_URL=house_settings.CELERY_BROKER_URL,
            TEST_DATABASE=str(connection.settings_dict["NAME"]),
            FAKE_MODELING=str(ROOT / "tests" / "alignment" / "fake"),
            FOREIGN_ENDPOINTS=json.dumps(servers.endpoints()),
        )

    start.process = start()
    return start


@pytest.fixture
def project():
    project = ProjectFactory(
        name="Talks", protocol__kind=ProtocolKind.LIVE, protocol__guidelines="Prefer what **helps**."
    )
    for name in ("annie", "bert"):
        MembershipFactory(project=project, user=UserFactory(username=name), role=Role.ANNOTATOR)
    return project


def begin(visitor, project, text):
    page = visitor.go(f"/projects/{project.pk}/label/")
    expect(page.locator("h1")).to_have_text("Chat and compare")
    page.fill("#text", text)
    page.click("[data-send]")
    page.wait_for_url("**/live/*/**")
    return page


def wait_for_both(page):
    expect(page.locator("#live-judge")).to_be_visible(timeout=ANSWERED_MS)


def lengths_while_answering(page):
    """Return (length of A, length of B) at every moment at which both were still being written."""
    seen = []
    deadline = time.monotonic() + ANSWERED_MS / 1000
    look = """() => {
        const now = document.getElementById("now");
        const texts = [...now.querySelectorAll(".answer-body")].map((body) => body.innerText.trim());
        return [now.dataset.state, ...texts.map((text) => (text === "…" ? 0 : text.length))];
    }"""
    while time.monotonic() < deadline:
        state, *lengths = page.evaluate(look)
        if state != TurnState.ANSWERING:
            return seen
        seen.append(tuple(lengths))
        page.wait_for_timeout(100)
    raise AssertionError("the answers did not come")


def letter_that_says(page, word):
    cards = page.locator("#live-judge .answer").all()
    return next(card.get_attribute("data-letter") for card in cards if word in card.inner_text())


def choose(page, letter, strength=2):
    page.click(f".strength-choice:has([value={letter}{strength}])")
    page.click("#live-judge [data-send]:visible")
    expect(page.locator("[data-composer]")).to_be_visible()


def write(page, text):
    page.fill("#text", text)
    page.click("[data-composer] [data-send]")


def test_two_conversations_at_once_appear_in_step_go_on_and_are_exported(visit, project, worker):
    annie = visit("annie")
    bert = visit("bert", viewport=PHONE, java_script_enabled=False)
    other = begin(bert, project, "Who keeps the bakery?")
    first = begin(annie, project, "Which way to the harbour?")

    seen = lengths_while_answering(first)
    assert len(set(seen)) >= 2, seen  # they grew before the eyes
    assert max(abs(a - b) for a, b in seen) <= 1, seen  # one may end with a space, which nobody sees
    assert max(a for a, _ in seen) < len(SLOW)  # as slow as the slower one
    wait_for_both(first)
    wait_for_both(other)
    assert "quick" not in first.content() + other.content()
    assert "slow" not in first.content() + other.content()

    for page, word in ((first, "heavy"), (other, "swift")):
        choose(page, letter_that_says(page, word))
        write(page, "And back again?")
    for page in (first, other):
        wait_for_both(page)
        assert "after 3 messages" in page.locator("#live-judge").inner_text()
        choose(page, letter_that_says(page, "swift"), strength=1)

    rows = list(preference_rows(project=project))
    assert len(rows) == 4
    by_begin = {}
    for row in rows:
        by_begin.setdefault(row["prompt"][0]["content"], []).append(row)
    for question, word, source in (
        ("Which way to the harbour?", "heavy", "endpoint:slow"),
        ("Who keeps the bakery?", "swift", "endpoint:quick"),
    ):
        one, two = by_begin[question]
        assert one["prompt"] == [{"role": "user", "content": question}]
        assert word in one["chosen"][0]["content"]
        assert one["chosen_source"] == source
        assert two["prompt"] == [*one["prompt"], *one["chosen"], {"role": "user", "content": "And back again?"}]
        assert (two["chosen_source"], two["rejected_source"]) == ("endpoint:quick", "endpoint:slow")
    follow_ups = Turn.objects.filter(number=2).select_related("prompt__parent_response__source")
    assert {turn.prompt.parent_response.source.key for turn in follow_ups} == {"endpoint:slow", "endpoint:quick"}
    assert set(Judgment.objects.values_list("strength", flat=True)) == {1, 2}
    assert annie.complaints == bert.complaints == []


def test_a_look_that_is_answered_late_does_not_undo_a_choice(visit, project, worker, monkeypatch):
    context = live._context
    is_slow = []

    def slow_context(*args, **kwargs):
        shown = context(*args, **kwargs)
        is_slow.append(time.sleep(1.5))  # the next look is due before this one is answered
        return shown

    monkeypatch.setattr(live, "_context", slow_context)
    annie = visit("annie")
    page = begin(annie, project, "Which way to the harbour?")
    wait_for_both(page)
    page.click(".strength-choice:has([value=B1])")
    page.wait_for_timeout(2_500)
    expect(page.locator("[value=B1]")).to_be_checked()
    assert is_slow
    assert annie.complaints == []


def test_a_conversation_by_keyboard_alone(visit, project, worker):
    annie = visit("annie")
    page = annie.go(f"/projects/{project.pk}/live/")
    page.locator("#text").focus()
    page.keyboard.type("One line")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and another")
    page.keyboard.press("Enter")
    wait_for_both(page)
    page.keyboard.press("7")  # B much better
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    judgment = Judgment.objects.get()
    better = judgment.assignment.order[1]
    assert (judgment.strength, judgment.ranks[better]) == (3, 1)
    assert judgment.active_s is not None
    assert Turn.objects.get().prompt.messages[-1]["content"] == "One line\nand another"

    page.keyboard.type("Next")
    page.keyboard.press("Enter")
    wait_for_both(page)
    page.keyboard.press("0")  # both are bad
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("a")
    page.keyboard.press("Tab")
    page.keyboard.type("Third")
    page.keyboard.press("Enter")
    wait_for_both(page)
    assert Judgment.objects.filter(all_bad=True).count() == 1
    assert page.locator(".chat-past > li").count() == 4
    assert annie.complaints == []


def test_a_conversation_by_touch_that_is_ended_and_begun_anew(visit, project, worker):
    annie = visit("annie", viewport=PHONE, has_touch=True, is_mobile=True)
    page = annie.go(f"/projects/{project.pk}/live/")
    page.locator("#text").tap()
    page.fill("#text", "Hello?")
    page.locator("[data-send]").tap()
    wait_for_both(page)
    page.locator(".strength-choice", has_text="About the same").tap()
    page.locator("#live-judge [data-send]").tap()
    expect(page.locator("[data-composer]")).to_be_visible()
    assert not annie.scrolls_sideways()
    assert list(Judgment.objects.values_list("strength", "n_ties")) == [(0, 1)]
    page.get_by_role("link", name="All conversations").tap()
    page.get_by_role("link", name="Hello?").tap()  # goes on where it was
    expect(page.locator("[data-composer]")).to_be_visible()
    page.get_by_role("button", name="End the conversation").tap()
    expect(page.get_by_role("link", name="Hello?")).to_have_count(0)
    expect(page.locator("#text")).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "plain"])
def test_a_policy_that_is_down_is_told_and_asked_again(visit, project, worker, servers, has_scripts):
    annie = visit("annie", java_script_enabled=has_scripts)
    servers.stop("slow")
    page = begin(annie, project, "Is anybody there?")
    expect(page.get_by_text("does not answer")).to_be_visible(timeout=ANSWERED_MS)
    assert "slow" not in page.content()
    servers.start("slow")
    page.get_by_role("button", name="Try again").click()
    wait_for_both(page)


@pytest.mark.slow
def test_a_killed_worker_costs_seconds_and_no_answer(visit, project, worker):
    annie = visit("annie")
    page = begin(annie, project, "Are you still there?")
    answer = TurnAnswer.objects.get(source__key="endpoint:slow")
    wait_until(lambda: TurnAnswer.objects.filter(pk=answer.pk).exclude(text="").exists())
    worker.process.kill()
    worker.process.wait()
    worker()
    wait_until(lambda: turns_wake() or Turn.objects.get().state == TurnState.READY)
    wait_for_both(page)
    answer.refresh_from_db()
    assert answer.text == SLOW.format(n=1)
    assert Assignment.objects.count() == 1


def wait_until(condition, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def test_what_an_annotator_sees_has_no_barrier(visit, project, worker):
    texts = ["Wie weit? " + "Unbrechbares" * 20, "مرحبا، كيف الحال؟"]
    for viewport, theme in ((WIDE, "light"), (PHONE, "dark")):
        annie = visit("annie", viewport=viewport, color_scheme=theme)
        annie.go(f"/projects/{project.pk}/live/")
        assert annie.serious_barriers() == []
        page = begin(annie, project, f"{texts[0]} {theme}")
        assert annie.serious_barriers() == []
        wait_for_both(page)
        picture(page, f"judge-{theme}")
        assert annie.serious_barriers() == []
        choose(page, "B")
        write(page, texts[1])
        wait_for_both(page)
        picture(page, f"second-{theme}")
        page.check("[name=all_bad]", force=True)
        page.click("#live-judge [data-send]")
        expect(page.locator(".pick")).to_be_visible()
        picture(page, f"pick-{theme}")
        assert annie.serious_barriers() == []
        assert not annie.scrolls_sideways()
        annie.go(f"/projects/{project.pk}/live/")
        picture(page, f"list-{theme}")
        assert annie.complaints == []


def picture(page, name):
    """Keep a picture for whoever wants to look: PICTURES=/tmp/pictures."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/live-{name}.png", full_page=True)
