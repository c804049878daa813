"""A real browser for tests of pages: Debian's chromium, driven by playwright, that reaches nothing but this machine."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.example import PASSWORD, Example, example_project

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 10_000
"""For one step of a page on a busy machine; an idle one needs a tenth of a second."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    # playwright runs an event loop on this thread, and Django then refuses to touch the database from it
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        # without a system browser, the one that `make browser` fetched
        system = CHROMIUM if Path(CHROMIUM).exists() else None
        browser = playwright.chromium.launch(executable_path=system, args=FLAGS)
        yield browser
        browser.close()


class Visitor:
    """Somebody with a browser; collects whatever the browser complains about."""

    def __init__(self, browser: Browser, root: str, **options: object) -> None:
        self.root = root
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def sign_in(self, username: str) -> "Visitor":
        self.go("/login/")
        self.page.fill("#id_login", username)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("main button[type=submit]")
        self.page.wait_for_url(f"{self.root}/")
        return self

    def go(self, path: str) -> Page:
        self.page.goto(self.root + path)
        return self.page

    def serious_barriers(self) -> list[str]:
        """Return what axe calls serious or critical on this page."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{violation['id']}: {node['html'][:200]}"
            for violation in found
            if violation["impact"] in {"serious", "critical"}
            for node in violation["nodes"]
        ]

    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.fixture
def visit(chromium, live_server):
    """Open a browser window: `visit("annie", viewport=PHONE)`."""
    visitors: list[Visitor] = []

    def open_window(username: str = "", **options: object) -> Visitor:
        visitor = Visitor(chromium, live_server.url, **{"viewport": WIDE, **options})
        visitors.append(visitor)
        return visitor.sign_in(username) if username else visitor

    yield open_window
    for visitor in visitors:
        visitor.context.close()
    _wait_for_requests()


def _wait_for_requests(patience_s: float = 5.0) -> None:
    """Let requests that a closed window left end: emptying the tables under one would be a deadlock."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and any("process_request" in thread.name for thread in threading.enumerate()):
        time.sleep(0.01)


@pytest.fixture
def example() -> Example:
    return example_project()
