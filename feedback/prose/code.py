"""Code blocks in Markdown, coloured by Pygments through classes (`static/css/prose.css`), never through styles."""

from collections.abc import Sequence
from functools import cache

from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

from feedback.prose import clock

MAX_COLOURED = 10_000
"""Characters of code in one text: the slowest lexers need 3 ms for a thousand."""

# Answers are in these. The lexers of 500 other languages would only be more that hostile text can try.
LANGUAGES = {
    "bash", "c", "c#", "c++", "cpp", "csharp", "css", "diff", "dockerfile", "go", "golang", "html", "ini", "java",
    "javascript", "js", "json", "jsx", "kotlin", "latex", "lua", "makefile", "php", "powershell", "py", "python", "r",
    "ruby", "rust", "scala", "sh", "shell", "sql", "swift", "tex", "toml", "ts", "tsx", "typescript", "xml", "yaml",
    "yml",
}  # fmt: skip
_FORMATTER = HtmlFormatter(nowrap=True)


@cache
def _lexer(name: str) -> Lexer:
    # as written: without these two Pygments would drop empty lines from both ends of an answer
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


def fence(_self: RendererProtocol, tokens: Sequence[Token], idx: int, _options: OptionsDict, env: EnvType) -> str:
    """Render a block of code; code is written from left to right in every language."""
    token = tokens[idx]
    clock.check(env)
    name = (unescapeAll(token.info).split(maxsplit=1) or [""])[0].lower()
    env["n_coloured"] = env.get("n_coloured", 0) + len(token.content)
    if name in LANGUAGES and env["n_coloured"] <= MAX_COLOURED:
        code = highlight(token.content, _lexer(name), _FORMATTER)
    else:
        code = escapeHtml(token.content)
    return f'<pre class="code" dir="ltr"><code>{code}</code></pre>\n'
