import pytest

from feedback.domain.masking import names_masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("I am Plumb.", "I am ▇▇▇."),
        ("PLUMB and plumb", "▇▇▇ and ▇▇▇"),
        ("**Plumb**, _Plumb_ and `Plumb`", "**▇▇▇**, _▇▇▇_ and `▇▇▇`"),
        ("Plumbing with a Plumber", "Plumbing with a Plumber"),
        ("I am Plumb Line, made by Line & Co.", "I am ▇▇▇, made by ▇▇▇."),
        ("I am Plumb\n  Line", "I am ▇▇▇"),
        ("Plumb's answer (Plumb-2)", "▇▇▇'s answer (▇▇▇-2)"),
        ("我是铅垂模型。", "我是▇▇▇模型。"),
        ("我是Plumb模型", "我是▇▇▇模型"),
        ("a.b and axb", "▇▇▇ and axb"),
    ],
)
def test_whole_words_are_masked_in_any_case(text, shown):
    assert names_masked(text, ["Plumb", "Plumb Line", "Line & Co", "铅垂", "a.b"]) == shown


def test_without_names_nothing_is_masked():
    assert names_masked("I am Plumb.", []) == "I am Plumb."
    assert names_masked("I am Plumb.", [" "]) == "I am Plumb."
