import pytest
from pygments.lexers import get_lexer_by_name

from feedback.prose.code import LANGUAGES, MAX_COLOURED
from feedback.prose.render import render


def test_code_is_coloured_by_classes_and_keeps_its_text():
    html = render("```python\ndef f():\n\n    return '<b>'\n```")
    assert '<span class="k">def</span>' in html
    assert "style=" not in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("info", ["", "nonsense", "python' onclick='x", "{{ 7*7 }}", "../../etc"])
def test_code_in_a_language_that_nobody_knows_is_shown_plain(info):
    html = render(f"```{info}\n<script>x</script>\n```")
    assert html == '<pre class="code" dir="ltr"><code>&lt;script&gt;x&lt;/script&gt;\n</code></pre>\n'


def test_long_code_is_shown_plain():
    assert "<span" not in render("```python\n" + "x = 1\n" * (MAX_COLOURED // 6 + 1) + "```")


@pytest.mark.parametrize("name", sorted(LANGUAGES))
def test_every_language_on_the_list_has_a_lexer(name):
    assert get_lexer_by_name(name)
