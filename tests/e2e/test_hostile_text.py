"""Payloads in every text that strangers or models write, on every page: shown as text, never run, never fetched."""

import json
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models
from playwright.sync_api import Page, expect

from feedback.models import Assignment, Prompt, Protocol, User
from tests.e2e.touring import Tourists
from tests.payloads import ALL, FILE_NAMES, NAMES
from tests.tour import ADA, ANNIE, TOURISTS, paths, world

pytestmark = pytest.mark.looks

OURS = {
    "password", "digest", "token_key", "username", "key", "path", "run_dir", "content_sha256", "sha256", "token_sha256",
    "client_key", "kind", "stage", "purpose", "split", "language", "time_zone", "object_type", "from_state", "to_state",
    "finish_reason", "pseudonym", "email",
}  # fmt: skip
"""Fields that nobody writes freely into: hashes, keys, states, paths. Everything else is filled, also what is new."""
HARMFUL = """() => [...document.querySelectorAll('*:not(img.qr)')].filter(node =>
  [...node.attributes].some(({name, value}) => name.startsWith('on') || name === 'style' || name === 'srcdoc'
    || (/^(href|src|action|formaction|xlink:href|data)$/.test(name) && /^\\s*(javascript|data|vbscript):/i.test(value))
    || (/^(href|src)$/.test(name) && /^(https?:)?\\/\\//.test(value) && !value.startsWith(location.origin)
      && !node.closest('.prose'))))
  .map(node => node.outerHTML.slice(0, 200))"""
FOREIGN = ", ".join(
    f"main {tag}"
    for tag in ("script:not([src^='/static/'])", "img:not([src^='/static/'], .qr)", "iframe", "object", "embed")
)


def hostile_world() -> dict[str, object]:
    """Fill every text of every table with payloads."""
    places = world()
    for room in ("feedback", "alignment"):
        for model in apps.get_app_config(room).get_models():
            for number, row in enumerate(model.objects.all()):
                fill(row, number)
    Protocol.objects.update(guidelines=ALL)
    for protocol in Protocol.objects.all():
        protocol.options |= {"warnings": {NAMES[0]: ALL[:500], "violence": NAMES[1]}, "masked_names": NAMES[:2]}
        for scale, name in zip(protocol.options["dimensions"], NAMES, strict=False):
            scale |= {"name": name, "low": name, "high": name}
        protocol.save()
    for prompt in Prompt.objects.all():
        prompt.messages = [{**message, "content": f"{prompt.pk} {ALL}"} for message in prompt.messages]
        prompt.tags = [*NAMES, "violence"]
        prompt.save()
    for assignment in Assignment.objects.filter(draft__isnull=False):
        assignment.draft.fields = {"rationale": [ALL], "edited_answer": [ALL], "rank_A": [NAMES[0]], NAMES[1]: [ALL]}
        assignment.draft.save()
    for number, user in enumerate(User.objects.exclude(username__in=TOURISTS)):
        User.objects.filter(pk=user.pk).update(username=f"{NAMES[number % len(NAMES)]}{number}")
    for file in Path(settings.RUNS_ROOT).glob("*/*/events.jsonl"):
        file.write_text(json.dumps({"t": 1.0, "type": "message", "text": ALL}) + "\n")
        file.with_name("run.log").write_text(ALL)
    return places


def fill(row: models.Model, number: int) -> None:
    changed = []
    for field in row._meta.fields:
        is_free = (
            isinstance(field, models.CharField | models.TextField) and field.name not in OURS and not field.choices
        )
        if is_free:
            text = f"{number}{NAMES[number % len(NAMES)]}" if (field.max_length or 10_000) < 200 else ALL
            setattr(row, field.name, text[: field.max_length])
        elif isinstance(field, models.JSONField) and field.name in {"reasons", "erasures"}:
            setattr(row, field.name, [ALL] if field.name == "reasons" else [{"at": "2026-01-01", "what": ALL}])
        else:
            continue
        changed.append(field.name)
    if changed:
        type(row).objects.filter(pk=row.pk).update(**{name: getattr(row, name) for name in changed})


def look(page: Page, hosts: list[str], root: str) -> list[str]:
    """Return what ran, what could, and what was asked of others."""
    found = [f"asked {url}" for url in hosts if not url.startswith((root, "data:", "blob:"))]
    if page.evaluate("window.hurt") is not None:
        found.append("ran")
    return found + page.evaluate(HARMFUL) + page.eval_on_selector_all(FOREIGN, "nodes => nodes.map(n => n.outerHTML)")


@pytest.mark.timeout(900)  # 130 pages, some of them with 60 kB of payloads
def test_nothing_that_strangers_wrote_runs_on_any_page(visit):
    places = hostile_world()
    tourists = Tourists(visit)
    found = {}
    for who, path in paths(places):
        visitor = tourists[who]
        hosts: list[str] = []
        visitor.page.on("request", lambda request, hosts=hosts: hosts.append(request.url))
        page = visitor.go(path)
        page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
        seen = look(page, hosts, visitor.root) + tourists.complaints()
        if seen:
            found[who, path] = seen
    assert found == {}


def test_hostile_answers_can_be_ranked_by_keys_and_nothing_runs(visit):
    places = hostile_world()
    tourists = Tourists(visit)
    annie = tourists[ANNIE]
    page = annie.go(f"/projects/{places['harbour']}/label/")
    expect(page.locator("#comparison h1")).to_be_visible()
    assert "<script>window.hurt=1</script>" in page.locator(".turns").inner_text()
    for key in ["a", "1", "v", "o", "m", "Escape", "b", "2", "Shift+o", "?", "Escape", "z"]:
        page.keyboard.press(key)
    for link in page.locator(".prose a").all():
        assert link.get_attribute("href").startswith("https://")
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert page.evaluate(HARMFUL) == []
    assert page.evaluate("window.hurt") is None
    assert tourists.complaints() == []


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_hostile_file_name_is_no_more_than_a_name(visit, name):
    places = world()
    tourists = Tourists(visit)
    page = tourists[ADA].go(f"/projects/{places['harbour']}/prompts/")
    page.set_input_files("#id_file", {"name": name, "mimeType": "application/json", "buffer": b'{"prompt": 1'})
    page.click("button:has-text('Upload')")
    expect(page.locator(".errorlist, .note.bad").first).to_be_visible()
    assert page.evaluate("window.hurt") is None
    assert page.evaluate(HARMFUL) == []
    assert tourists.complaints() == []
