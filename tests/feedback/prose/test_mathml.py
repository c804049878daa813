import pytest

from feedback.prose.mathml import MAX_FORMULA, mathml
from feedback.prose.render import render


@pytest.mark.parametrize(
    "text",
    [
        "$x^2$",
        r"\(x^2\)",
        "$$x^2$$",
        r"\[x^2\]",
        "$$\nx^2\n$$",
        "So:\n\\[\nx^2\n\\]\nand on",
        "- a\n\n  $$\n  x^2\n  $$",
    ],
)
def test_formulas_in_each_of_their_signs_become_mathml(text):
    html = render(text)
    assert html.count("<msup><mi>x</mi><mn>2</mn></msup>") == 1
    assert "$" not in html
    assert "\\" not in html


def test_a_formula_on_lines_of_its_own_is_a_block_and_its_lines_are_no_list():
    html = render("\\[\na\n+ b\n\\]")
    assert html.startswith('<div class="formula" tabindex="0"><math display="block">')
    assert "<li>" not in html


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6.",
        "US$5, or US$6 with $7/$8 tax",
        "between $5k and ($6k)",
        "I have $5. You have 6$.",
        "$ x $",
        r"\$x^2\$",
        "`$x^2$`",
        "$$",
        "$x and y",
        "a $HOME and $PATH",
    ],
)
def test_money_and_single_dollars_are_no_formulas(text):
    assert "<math" not in render(text)


@pytest.mark.parametrize(
    "tex",
    [
        r"\frac", r"\left(", r"{", r"x^1^2", r"\begin{matrix}", r"\def\a{aa}\a", r"\newcommand{\a}{b}\a",
        r"\href{javascript:alert(1)}{x}", r"\style{position:fixed}{x}", r"\color{white}{x}", "{" * (MAX_FORMULA - 1),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_shown_as_it_was_written(tex):
    html = render(f"${tex}$ after")
    assert "<math" not in html
    assert tex.split("\\")[-1] in html
    assert "after" in html


def test_tags_in_a_formula_stay_text():
    for tex in (r"\text{<script>x</script>}", r"\text{&lt;script&gt;}", r"\mathrm{<img src=x>}", r"\operatorname{<b>}"):
        converted = mathml(tex, is_display=False) or ""
        assert "<script" not in converted
        assert "<img" not in converted
        assert "<b>" not in converted


def test_signs_come_out_as_characters():
    html = render(r"$\sum_{i=1}^n \beta \leq \int f \quad \dots$")
    assert all(sign in html for sign in "∑β≤∫…")
    assert "&amp;#x" not in html
    assert '<mspace width="1em">' in html


def test_a_formula_moves_nothing_on_the_page():
    html = render(r"$a\hspace{-100em}b \raise{50em}{c} \mspace{9999mu}$")
    assert "100em" not in html.replace(r"\hspace{-100em}", "")
    assert "voffset" not in html
