import pytest

from feedback.templatetags.markdown import MAX_CHARACTERS, markdown


def test_plain_markdown_is_rendered():
    html = markdown("**bold** and `code`\n\n| a | b |\n| - | - |\n| 1 | 2 |")
    assert "<strong>bold</strong>" in html
    assert "<code>code</code>" in html
    assert "<td>2</td>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<b onmouseover=alert(1)>x</b>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](http://plain.example)",
        "[x](//other.example)",
        "[x](/logout/)",
        "![x](https://spy.example/pixel.png)",
        "<https://ok.example><svg onload=alert(1)>",
        "<style>*{display:none}</style>",
        "<iframe src=https://x.example></iframe>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ],
)
def test_hostile_text_is_shown_and_does_nothing(text):
    html = markdown(text)
    for forbidden in (
        "<script",
        "<img",
        "<svg",
        "<style",
        "<iframe",
        "<b ",
        'href="j',
        'href="d',
        'href="/',
        'href="http:',
    ):
        assert forbidden not in html.lower()


def test_links_lead_to_https_alone_and_tell_nobody_where_they_came_from():
    assert markdown("[x](https://ok.example)") == (
        '<p><a href="https://ok.example" rel="noopener noreferrer nofollow">x</a></p>\n'
    )


def test_an_image_is_named_and_not_loaded():
    assert markdown("![a cat](https://x.example/cat.png)") == "<p><em>[image: a cat]</em></p>\n"


def test_headings_cannot_pose_as_the_page():
    assert markdown("# Rank the answers") == "<h4>Rank the answers</h4>\n"


def test_a_text_of_any_length_is_shown():
    html = markdown("[" * (MAX_CHARACTERS + 1) + "<b>")
    assert html.startswith("<pre>[")
    assert "<b>" not in html
