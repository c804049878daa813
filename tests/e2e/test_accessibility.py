"""Every page of the product, light and dark, wide and on a phone: no barrier by WCAG 2.2 AA, no complaint, no page that
scrolls sideways, and nothing that the content security policy had to stop.
"""

import json
import re

import pytest
from django.apps import apps
from django.core.serializers import serialize
from playwright.sync_api import expect

from alignment.selectors.run import TITLES
from feedback.domain.protocol import Flag, SkipReason
from feedback.domain.scopes import Scope
from tests.e2e.conftest import PHONE, WIDE
from tests.e2e.touring import AXE, COLOURS, Tourists, barriers
from tests.tour import ADA, ANNIE, paths, world

PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Ends when the theme that was just chosen is on the screen: on a busy machine axe saw half of each."""
N_ADMIN = 8
"""Of the site's tables: their index, two lists of tables, and some lists and rows. The others are made alike."""


@pytest.mark.looks
@pytest.mark.timeout(900)  # 70 pages, each judged twice: two minutes on an idle machine
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["1280", "390"])
def test_no_page_has_a_barrier_in_either_theme(visit, viewport):
    places = world()
    tourists = Tourists(visit, viewport=viewport, reduced_motion="reduce")  # else axe sees colours on their way
    found = {}
    for who, path in paths(places, n_admin=N_ADMIN):
        visitor = tourists[who]
        page = visitor.go(path)
        seen = ["scrolls sideways"] * visitor.scrolls_sideways() + tourists.complaints()
        for theme, options in (("light", AXE), ("dark", COLOURS)):
            page.emulate_media(color_scheme=theme)
            page.evaluate(PAINTED)
            seen += [f"{theme}: {barrier}" for barrier in barriers(page, options)]
        tourists.complaints()  # axe itself makes style sheets, which the policy stops
        if seen:
            found[who, path] = seen
    assert found == {}


@pytest.mark.looks
@pytest.mark.timeout(900)
def test_every_page_speaks_chinese_and_fits_on_a_phone(visit):
    places = world()
    written = _written()
    tourists = Tourists(visit, locale="zh-CN", viewport=PHONE)
    found = {}
    for who, path in paths(places, n_admin=0):
        visitor = tourists[who]
        page = visitor.go(path)
        seen = ["scrolls sideways"] * visitor.scrolls_sideways() + tourists.complaints()
        seen += [text for text in page.evaluate(ENGLISH) if " ".join(text.split()).lstrip(": ")[:10] not in written]
        if page.locator("html").get_attribute("lang") != "zh-hans":
            seen.append("lang")
        if seen:
            found[who, path] = seen
    assert found == {}


def _written():
    """Return all that people and models wrote, and the names of states, which are English words of the domain."""
    models = [model for room in ("feedback", "alignment") for model in apps.get_app_config(room).get_models()]
    rows = [row for model in models for row in model.objects.all()]
    labels = [str(label) for model in models for field in model._meta.fields for _, label in field.flatchoices]
    labels += [str(label) for choices in (Flag, Scope, SkipReason) for label in choices.labels]
    labels += [str(title) for title in TITLES.values()]
    written = json.dumps(json.loads(serialize("json", rows)), ensure_ascii=False) + json.dumps(labels)
    return re.sub(r"(?:\\n|\s)+", " ", written)  # as excerpts show it


ENGLISH = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  const others = '[lang="en"], .prose, bdi, code, pre, kbd, template, textarea, .log, option';
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), box = walker.currentNode.parentElement;
    if (/[A-Za-z]{3,} [a-z]{2,}/.test(text) && !/[\u4e00-\u9fff]/.test(text) && !box.closest(others)) found.push(text);
  }
  return found;
}"""
"""Finds English sentences that are neither what people wrote nor marked as English."""


def test_the_first_tab_leads_past_the_head_and_what_has_the_focus_is_seen(visit):
    places = world()
    page = Tourists(visit)[ANNIE].go(f"/projects/{places['harbour']}/label/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    expect(page.locator(".skip-link")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert page.evaluate(UNSEEN) == []


UNSEEN = """() => {
  const up = node => node.parentElement;
  const look = node => [node, up(node), up(up(node)), ...node.children].map(one => {
    const style = getComputedStyle(one);
    return [style.outline, style.boxShadow, style.borderColor, style.backgroundColor].join();
  }).join();
  const all = document.querySelectorAll('a, button, input, select, textarea, summary, [tabindex="0"]');
  return [...all].filter(node => node.tabIndex >= 0 && node.checkVisibility()).filter(node => {
    document.activeElement.blur();
    const before = look(node);
    node.focus({focusVisible: true});
    return node === document.activeElement && look(node) === before;
  }).map(node => node.outerHTML.slice(0, 120));
}"""
"""Finds what takes the focus without looking different."""


def test_who_wants_no_motion_gets_none(visit):
    places = world()
    page = Tourists(visit, reduced_motion="reduce")[ADA].go(f"/projects/{places['harbour']}/rounds/1/")
    moving = page.evaluate(
        """() => [...document.querySelectorAll('*')].filter(node => {
          const style = getComputedStyle(node);
          return [style.transitionDuration, style.animationDuration]
            .some(all => all.split(',').some(one => parseFloat(one) > 0.05));
        }).map(node => node.outerHTML.slice(0, 120))"""
    )
    assert moving == []


def test_what_happened_is_announced_in_a_region_that_was_there_before(visit):
    places = world()
    page = Tourists(visit)[ADA].go(f"/projects/{places['harbour']}/members/")
    page.evaluate("window.region = document.getElementById('toasts')")
    page.fill("#id_username", "noah")
    page.press("#id_username", "Enter")
    expect(page.locator(".toast")).to_be_visible()
    assert page.evaluate("window.region === document.getElementById('toasts')")
    assert page.evaluate("window.region.getAttribute('aria-live')") == "polite"
