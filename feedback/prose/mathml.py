r"""Formulas in Markdown, `$..$`, `$$..$$`, `\(..\)` and `\[..\]`, as MathML made on the server.

What the converter cannot read is shown as it was written. Money is no formula: as in pandoc, no space stands inside the
dollar signs and no digit after them, and words between them need a sign that only formulas have.
Knows nothing of the sanitiser that checks the result (`feedback.prose.clean`).
"""

import html
import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import Converter
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from feedback.prose import clock

MAX_FORMULA = 1_000
"""Characters; ten times a long formula, and what bounds the search for a closing sign."""

_CLOSING = {"$$": "$$", "$": "$", r"\[": r"\]", r"\(": r"\)"}
_DISPLAY = ("$$", r"\[")
# Definitions could grow a short formula without end; the others set what the page decides.
_REFUSED = re.compile(
    r"\\(def|let|(re)?new(command|environment)|providecommand|href|style|class|color|textcolor)(?![a-z])", re.IGNORECASE
)
_WORDS = re.compile(r"[^\W\d_]{2,}\s|\s[^\W\d_]{2,}")
_SIGNS = re.compile(r"[\\^_={}<>]")


def mathml_plugin(parser: MarkdownIt) -> None:
    """Teach a Markdown parser formulas."""
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.block.ruler.before(
        "fence", "formula_block", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.add_render_rule("formula", _render)


def _inline(state: StateInline, silent: bool) -> bool:
    opening = next((sign for sign in _CLOSING if state.src.startswith(sign, state.pos)), None)
    if opening is None:
        return False
    start = state.pos + len(opening)
    end = _closing_at(state.src, _CLOSING[opening], start)
    tex = state.src[start:end]
    if end < 0 or not tex.strip() or (opening == "$" and _is_money(state.src, start, end)):
        return False
    if not silent:
        _push(state, opening, tex)
    state.pos = end + len(_CLOSING[opening])
    return True


def _block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.is_code_block(start_line):
        return False
    begin = state.bMarks[start_line] + state.tShift[start_line]
    opening = next((sign for sign in _DISPLAY if state.src.startswith(sign, begin)), None)
    if opening is None:
        return False
    # where the text has no closing sign near, stop at once: these lines are looked at again and again
    end = _closing_at(state.src, _CLOSING[opening], begin + len(opening))
    line = next((line for line in range(start_line, end_line) if end < state.eMarks[line]), end_line)
    if end < 0 or line == end_line or any(_ends_block(state, inner) for inner in range(start_line, line + 1)):
        return False
    lines = state.getLines(start_line, line + 1, state.blkIndent, keepLastLF=False).strip()
    tex = lines[len(opening) : -len(_CLOSING[opening])]
    if not lines.endswith(_CLOSING[opening]) or not tex.strip():
        return False  # text goes on behind it: the inline rule's business
    if not silent:
        state.line = line + 1
        _push(state, opening, tex).block = True
    return True


def _ends_block(state: StateBlock, line: int) -> bool:
    return state.isEmpty(line) or state.sCount[line] < state.blkIndent


def _push(state: StateInline | StateBlock, opening: str, tex: str) -> Token:
    token = state.push("formula", "math", 0)
    token.content, token.markup = tex, opening
    return token


def _closing_at(text: str, closing: str, start: int) -> int:
    """Return where the formula ends, or -1; a sign behind an odd number of backslashes belongs to the formula."""
    end = text.find(closing, start, start + MAX_FORMULA)
    while end >= 0:
        before = text[start:end]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return end
        end = text.find(closing, end + 1, start + MAX_FORMULA)
    return -1


def _is_money(text: str, start: int, end: int) -> bool:
    tex = text[start:end]
    if (
        tex[0].isspace()
        or tex[-1].isspace()
        or text[end + 1 : end + 2].isdigit()
        or text[start - 2 : start - 1].isdigit()
    ):
        return True
    return bool(_WORDS.search(tex)) and not _SIGNS.search(tex)


def _render(_self: RendererProtocol, tokens: Sequence[Token], idx: int, _options: OptionsDict, env: EnvType) -> str:
    token = tokens[idx]
    is_display = token.markup in _DISPLAY
    clock.check(env)
    formula = mathml(token.content, is_display=is_display)
    if formula is None:
        written = escapeHtml(token.markup + token.content + _CLOSING[token.markup])
        formula = f'<code class="tex">{written}</code>'
    if not is_display:
        return formula
    # in a paragraph only a span may stand; both scroll by themselves, so the keyboard must reach them
    tag = "div" if token.block else "span"
    return f'<{tag} class="formula" tabindex="0">{formula}</{tag}>'


def mathml(tex: str, *, is_display: bool) -> str | None:
    """Convert a formula, or return None where it cannot be read."""
    if _REFUSED.search(tex):
        return None
    try:
        tree = Converter(display="block" if is_display else "inline").convert_to_element(tex)
    except Exception:  # noqa: BLE001 - the parser stumbles in many ways over bad input; the caller shows the source
        return None
    for element in tree.iter():
        _decode(element)
    return tostring(tree, encoding="unicode")


def _decode(element: Element) -> None:
    r"""Turn the character references that the converter leaves into characters, which are then escaped in earnest.

    The converter's own `convert` unescapes the finished markup instead, and so makes tags out of `\text{<b>}`.
    """
    element.text = html.unescape(element.text) if element.text else element.text
    element.tail = html.unescape(element.tail) if element.tail else element.tail
