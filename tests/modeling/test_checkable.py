from decimal import Decimal

import pytest

from modeling.data.checkable import is_right, last_number
from modeling.data.questions import read_questions
from modeling.errors import BadInput


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She sells 9 eggs.\n#### 18", "18"),
        ("about $1,000.", "1000"),
        ("that is 2,400,000.50 in all", "2400000.50"),
        ("5-3", "3"),
        ("(5)-3", "3"),
        ("It is -3", "-3"),
        ("x = -0.5.", "-0.5"),
        ("1,2345", "2345"),
        ("3, 4", "4"),
        ("In 2 days; 07 of them", "7"),
        ("no idea", None),
        ("", None),
    ],
)
def test_the_last_number_of_a_text(text, number):
    assert last_number(text) == (None if number is None else Decimal(number))


def test_numbers_are_compared_as_numbers():
    assert is_right("So 1,000.0 dollars.", "#### 1000")
    assert not is_right("1000 or 100", "#### 1000")
    assert not is_right("many", "#### 1000")


BRIEF = [{"role": "system", "content": "Brief."}]


def test_both_shapes_of_a_file_are_read(write_jsonl):
    rows = [
        {"question": "1+1?", "answer": "#### 2"},
        {"id": "a", "messages": [*BRIEF, {"role": "user", "content": "2?"}], "answer": "2"},
    ]  # fmt: skip
    first, second = read_questions(write_jsonl(rows))
    assert first.messages == ({"role": "user", "content": "1+1?"},)
    assert [message["role"] for message in second.messages] == ["system", "user"]
    assert second.expected == "2"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "Why?", "answer": "because"}, "line 1: 'answer' has no number"),
        ({"question": "Why?"}, "'answer' must be a text"),
        ({"answer": "3"}, "'question' must be a text"),
    ],
)
def test_a_question_that_cannot_be_checked_is_refused(write_jsonl, row, reason):
    with pytest.raises(BadInput, match=reason):
        list(read_questions(write_jsonl([row])))
