"""The last look at what was rendered: only these tags, classes and attributes pass, whatever made them."""

import nh3
from pygments.token import STANDARD_TYPES

_MATH = {
    "math", "menclose", "merror", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded", "mphantom",
    "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd",
    "mtext", "mtr", "munder", "munderover",
}  # fmt: skip
_BLOCKS = {
    "blockquote", "div", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "table", "tbody", "td", "th",
    "thead", "tr", "ul",
}  # fmt: skip
_INLINE = {"a", "br", "code", "em", "s", "span", "strong"}
# Of MathML's attributes those that say how signs stand together; none that could move a formula over the page.
_SIGNS = {
    "accent", "accentunder", "columnalign", "columnspacing", "display", "displaystyle", "fence", "form", "largeop",
    "linethickness", "lspace", "mathvariant", "maxsize", "minsize", "movablelimits", "notation", "rowspacing", "rspace",
    "scriptlevel", "separator", "stretchy", "symmetric",
}  # fmt: skip
_SPACES = {"0.1667em", "0.167em", "0.2222em", "0.222em", "0.2778em", "0.278em", "0.333em", "0.5em", "1em", "2em"}

_CLEANER = nh3.Cleaner(
    tags=_MATH | _BLOCKS | _INLINE,
    attributes={"*": set()}  # else every tag may carry a title
    | {tag: {"dir"} for tag in _BLOCKS}
    | dict.fromkeys(_MATH, _SIGNS)
    | {"a": {"href"}, "ol": {"dir", "start"}, "div": {"dir", "tabindex", "role", "aria-label"}, "span": {"tabindex"}},
    allowed_classes={
        "span": {*STANDARD_TYPES.values(), "formula"} - {""},
        "div": {"formula", "wide"},
        "pre": {"code", "plain"},
        "code": {"tex"},
        "td": {"center", "right"},
        "th": {"center", "right"},
    },
    tag_attribute_values={"mspace": {"width": _SPACES}},
    set_tag_attribute_values={"a": {"target": "_blank"}},  # who looks something up keeps the task on the screen
    url_schemes={"https"},
    link_rel="noopener noreferrer nofollow",
)


def clean(html: str) -> str:
    """Return what may be shown of rendered Markdown."""
    return _CLEANER.clean(html)
