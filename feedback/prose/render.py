"""Showing Markdown written by strangers: guidelines, prompts, and what models answer.

Raw HTML is shown as text, links lead only to https addresses, images are never loaded (an image calls home) but linked,
headings go below those of the page, and every block finds its own reading direction. `clean` then checks what came out.
Sources: CommonMark 0.31, https://spec.commonmark.org; GitHub's tables and strikethrough.
"""

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.utils.translation import get_language, gettext
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import StateBase
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from feedback.prose import clock
from feedback.prose.clean import clean
from feedback.prose.code import fence
from feedback.prose.mathml import mathml_plugin

MAX_CHARACTERS = 20_000
"""Longer texts are shown as they were written: prose of this length takes 40 ms."""
KEPT = 256
"""Rendered texts that a process keeps: those of about 40 tasks."""
_LAST_HEADING = 6

# They reorder what stands around them, so that a text reads differently from what it says; each is shown by its name.
_REORDERING = {number: f"[U+{number:04X}]" for number in [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]}


class _Renderer(RendererHTML):
    """Renders some kinds of token in its own way; the signatures are markdown-it's."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Say that there was an image, and link to it where it does not stand in a link itself."""
        alt = escapeHtml(self.renderInlineAsText(tokens[idx].children or [], options, env))
        label = "[{}: {}]".format(gettext("image"), alt)
        is_in_link = sum(token.nesting for token in tokens[:idx] if token.tag == "a") > 0
        return label if is_in_link else f'<a href="{escapeHtml(str(tokens[idx].attrs["src"]))}">{label}</a>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Put the table in a box that scrolls by itself, also by keyboard."""
        direction = ' dir="auto"' if tokens[idx].attrs.pop("dir", None) else ""  # the box's side follows the table's
        box = '<div class="wide"{} tabindex="0" role="group" aria-label="{}">'.format(direction, gettext("Table"))
        return box + self.renderToken(tokens, idx, options, env)

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return self.renderToken(tokens, idx, options, env) + "</div>"


def _arrange(state: StateCore) -> None:
    """Give blocks their direction, headings their level and columns their class."""
    above: list[int] = []
    for token in state.tokens:
        if token.level == 0 and token.nesting == 1:
            token.attrSet("dir", "auto")
        if token.type == "heading_open":
            level = int(token.tag[1])
            above = [*(other for other in above if other < level), level]
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(state.env['top_heading'] + len(above) - 1, _LAST_HEADING)}"
        style = token.attrs.pop("style", None)  # markdown-it aligns columns by style alone
        if style is not None:
            token.attrSet("class", str(style).removeprefix("text-align:"))


def _clock(state: StateBase, *_: Any) -> bool:
    """Match nothing, as the first rule at every place: the one way to leave the parser in the middle."""
    clock.check(state.env)
    return False


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"])
    parser.use(mathml_plugin)
    parser.core.ruler.push("arrange", _arrange)
    parser.block.ruler.before("table", "clock", _clock, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    parser.inline.ruler.before("text", "clock", _clock)
    for kind in ("fence", "code_block"):
        parser.add_render_rule(kind, fence)
    parser.validateLink = lambda url: url.startswith("https://")  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


def render(text: str, *, top_heading: int = 3) -> str:
    """Render untrusted Markdown as harmless HTML; the text's highest headings become `h<top_heading>`."""
    return _render(text, top_heading, get_language())


@lru_cache(maxsize=KEPT)
def _render(text: str, top_heading: int, _language: str | None) -> str:
    shown = text.translate(_REORDERING)
    if len(shown) <= MAX_CHARACTERS:
        with contextlib.suppress(clock.TooSlow):
            return clean(_PARSER.render(shown, {"top_heading": top_heading, "ends_at": clock.start()}))
    return f'<pre class="plain" dir="auto">{escapeHtml(shown)}</pre>'
