import pytest

from modeling.evaluation.wellformed import well_formed


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "It lives in the forest. It eats berries!",
        'She said: "Come in."',
        "Use this:\n```\nx = 1\n```",
        "1) Wash it. 2) Dry it.",
        "He had had enough of it.",
        "The number is 111 111 111 in all.",
        "That is right (more or less).",
        "No. No, really.",
    ],
)
def test_honest_text_is_well_formed(text):
    assert well_formed(text, cut=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "It lives in the",
        "The fox eats berries (and mice.",
        'She said: "Come in.',
        "The fox eats red berries. It is small. The fox eats red berries.",
        "The fox is very very very small.",
        "the end of the day and the end of the day and the end of the day.",
        "```\nx = 1.",
    ],
)
def test_broken_text_is_not(text):
    assert not well_formed(text, cut=False)


def test_what_was_cut_is_not_well_formed_even_where_it_happens_to_end_a_sentence():
    assert not well_formed("It lives in the forest.", cut=True)
