import csv
import io
import json

import pytest

from feedback.formats.writing import csv_cell, csv_lines, jsonl_lines

PAYLOADS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    '=HYPERLINK("http://evil";"x")',
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_cell_of_a_csv_begins_like_a_formula(payload):
    text = "".join(csv_lines([{"text": payload}], ["text"]))

    [_, [cell]] = csv.reader(io.StringIO(text, newline=""))
    assert cell == f"'{payload}"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_json_lines_keep_texts_verbatim(payload):
    assert json.loads("".join(jsonl_lines([{"text": payload}]))) == {"text": payload}


def test_numbers_stay_numbers_and_lists_become_json():
    assert [csv_cell(value) for value in (-1, 0.5, True, None, [{"a": "é"}])] == [
        "-1",
        "0.5",
        "true",
        "",
        '[{"a": "é"}]',
    ]


def test_a_text_with_line_breaks_and_quotes_comes_back():
    rows = [{"a": 'x "y"\nz', "b": "1,2"}, {"a": "é", "b": ""}]

    text = "".join(csv_lines(rows, ["a", "b"]))

    assert list(csv.DictReader(io.StringIO(text, newline=""))) == rows


def test_no_rows_is_a_header():
    assert "".join(csv_lines([], ["a", "b"])) == "a,b\r\n"


def test_one_line_of_json_is_one_row_also_with_line_separators():
    [line] = jsonl_lines([{"text": "a\nb\u2028c"}])

    assert line.count("\n") == 1
