"""Browsers that walk the tour of every page: signed in by their session, and hearing what the pages complain about."""

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Page

from tests.e2e.conftest import Visitor
from tests.tour import session_of

REPORT_VIOLATIONS = """document.addEventListener('securitypolicyviolation', event => console.error(
  `policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`));"""
AXE = {"rules": {"target-size": {"enabled": True}}}  # of WCAG 2.2, and off by default
"""All rules that axe has on by default, which are WCAG 2.2 A and AA and its best practices."""
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""All that another theme can change."""


class Tourists:
    """One browser window for each person of the tour, all of one kind."""

    def __init__(self, visit, **options: object) -> None:
        self._visit, self._options = visit, options
        self._visitors: dict[str, Visitor] = {}

    def __getitem__(self, who: str) -> Visitor:
        if who not in self._visitors:
            visitor = self._visit(**self._options)
            visitor.context.add_init_script(REPORT_VIOLATIONS)
            if who:
                visitor.context.add_cookies(
                    [{"name": settings.SESSION_COOKIE_NAME, "value": session_of(who), "url": visitor.root}]
                )
            self._visitors[who] = visitor
        return self._visitors[who]

    def complaints(self) -> list[str]:
        """Return what the browsers complained about, and forget it; that a page is missing is no complaint."""
        found = [text for visitor in self._visitors.values() for text in visitor.complaints]
        for visitor in self._visitors.values():
            visitor.complaints.clear()
        return [text for text in found if "status of 4" not in text]


def barriers(page: Page, options: dict[str, object] = AXE) -> list[str]:
    """Return every violation that axe finds."""
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:200]} {node['failureSummary'][:300]}"
        for violation in found
        for node in violation["nodes"]
    ]
