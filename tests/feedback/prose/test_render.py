import gc
import time
from html.parser import HTMLParser

import pytest
from django.utils import translation

from feedback.prose.clock import BUDGET_S
from feedback.prose.render import MAX_CHARACTERS, _render, render
from tests.payloads import PAYLOADS


def test_plain_markdown_is_rendered():
    html = render("**bold**, ~~gone~~ and `code`\n\n| a | b |\n| - | -: |\n| 1 | 2 |")
    assert "<strong>bold</strong>, <s>gone</s> and <code>code</code>" in html
    assert '<td class="right">2</td>' in html


class _Reader(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.links = set(), set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value for name, value in attrs if name == "href"}


@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_text_is_shown_and_does_nothing(text):
    reader = _Reader()
    reader.feed(render(text))
    assert not reader.tags & {"script", "img", "svg", "style", "iframe", "form", "object", "template", "b", "input"}
    assert reader.attributes <= {"aria-label", "class", "dir", "display", "href", "rel", "role", "tabindex", "target"}
    assert all(link.startswith("https://") for link in reader.links)


def test_links_lead_to_https_alone_in_a_window_of_their_own_and_tell_nobody_where_they_came_from():
    link = '<a href="https://ok.example" target="_blank" rel="noopener noreferrer nofollow">x</a>'
    assert render("[x](https://ok.example)") == f'<p dir="auto">{link}</p>\n'


def test_a_table_scrolls_in_a_box_of_its_own_on_the_side_where_its_text_begins():
    html = render("| a |\n| - |\n| 1 |")
    assert html.startswith('<div class="wide" dir="auto" tabindex="0" role="group" aria-label="Table"><table>')


def test_words_of_ours_follow_the_readers_language_in_tables_too():
    with translation.override("zh-hans"):
        assert 'aria-label="表格"' in render("| a |\n| - |\n| 1 |")


def test_an_image_is_linked_and_not_loaded():
    html = render("![a cat](https://x.example/cat.png)")
    assert 'href="https://x.example/cat.png"' in html
    assert "[image: a cat]" in html
    assert "<img" not in html


def test_an_image_in_a_link_stays_one_link():
    html = render("[![a cat](https://x.example/cat.png)](https://y.example)")
    assert html.count("<a ") == 1
    assert "[image: a cat]" in html


def test_headings_cannot_pose_as_the_page_and_skip_no_level():
    assert [line[:4] for line in render("# A\n### B\n# C\n###### D").splitlines()] == ["<h3 ", "<h4 ", "<h3 ", "<h4 "]
    assert render("# A", top_heading=2).startswith("<h2 ")


def test_every_block_finds_its_own_direction_and_code_runs_from_the_left():
    html = render("مرحبا\n\nhello\n\n- שלום\n\n```\nx\n```")
    assert html.count('dir="auto"') == 3
    assert '<pre class="code" dir="ltr">' in html


def test_characters_that_reorder_text_are_shown_by_name():
    assert render("invoice\u202efdp.exe \u2066x\u2069") == (
        '<p dir="auto">invoice[U+202E]fdp.exe [U+2066]x[U+2069]</p>\n'
    )


def test_words_of_ours_follow_the_readers_language():
    with translation.override("zh-hans"):
        assert "[图片: a]" in render("![a](https://x.example/a.png)")
    assert "[image: a]" in render("![a](https://x.example/a.png)")


def test_a_text_of_any_length_is_shown():
    html = render("[" * (MAX_CHARACTERS + 1) + "<b>")
    assert html.startswith('<pre class="plain" dir="auto">[')
    assert "<b>" not in html


SLOW = ["[", "![", "- a\n", "\\[\n", "$$\n", "$x^2$ ", "|1|2|\n", "a**b ", "[a](<b", "> a\n", "\\(", "`a``b```c", "<a "]


@pytest.fixture
def no_collection():
    """After a thousand tests, collecting the garbage of all of them takes longer than what is measured."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("part", SLOW)
def test_no_text_takes_longer_than_its_budget(part):
    text = ("|a|b|\n|-|-|\n" if part.startswith("|") else "") + part * MAX_CHARACTERS
    started = time.thread_time()
    html = _render.__wrapped__(text[:MAX_CHARACTERS], 3, "en")
    assert time.thread_time() - started < 2 * BUDGET_S + 0.1  # one step of the parser may overrun it
    assert len(html) > 1_000


def test_the_same_answer_is_rendered_once():
    before = _render.cache_info().hits
    assert render("seen twice") == render("seen twice")
    assert _render.cache_info().hits == before + 1
