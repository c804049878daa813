"""Showing Markdown written by strangers: guidelines, prompts, and what models answer.

Raw HTML is shown as text, links lead only to https addresses, images are never loaded (an image calls home), headings
become small ones so that a text cannot pose as the page. nh3 then checks what the renderer made.
"""

from collections.abc import Sequence

import nh3
from django import template
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

register = template.Library()

MAX_CHARACTERS = 100_000
"""Longer texts are shown unrendered: the parser's worst cases grow faster than the text."""

_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
_SMALLEST_HEADING = 6
_HEADINGS_START_AT = 4


class _Renderer(RendererHTML):
    """Renders two kinds of token in its own way; the signatures are markdown-it's."""

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Say that there was an image, without loading it."""
        alt = self.renderInlineAsText(tokens[idx].children or [], options, env)
        return f"<em>[image: {nh3.clean_text(alt)}]</em>"

    def heading_open(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return f"<{_small(tokens[idx].tag)}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, _options: OptionsDict, _env: EnvType) -> str:
        return f"</{_small(tokens[idx].tag)}>\n"


def _small(tag: str) -> str:
    return f"h{min(int(tag[1]) + _HEADINGS_START_AT - 1, _SMALLEST_HEADING)}"


_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer).enable(
    ["table", "strikethrough"],
)
_PARSER.validateLink = lambda url: url.startswith("https://")  # type: ignore[method-assign]


@register.filter
def markdown(text: str) -> SafeString:
    """Render untrusted Markdown as harmless HTML."""
    if len(text) > MAX_CHARACTERS:
        return mark_safe(f"<pre>{nh3.clean_text(text)}</pre>")  # noqa: S308 - escaped just here
    html = nh3.clean(
        _PARSER.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"https"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )
    return mark_safe(html)  # noqa: S308 - nh3 has cleaned it
