import io

import pytest

from feedback.domain.errors import UploadRefused, UploadTooLarge
from feedback.formats import reading
from feedback.formats.reading import read_rows


def rows(content, filename="rows.jsonl"):
    return list(read_rows(io.BytesIO(content), filename))


@pytest.mark.parametrize(
    ("filename", "content", "expected"),
    [
        ("a.jsonl", b'{"a": 1}\n\n{"a": 2}\n', [(1, {"a": 1}), (3, {"a": 2})]),
        ("a.ndjson", b'\xef\xbb\xbf{"a": 1}', [(1, {"a": 1})]),
        ("a.JSON", b'[\n{"a": 1},\n{"a":\n2}\n]\n', [(2, {"a": 1}), (3, {"a": 2})]),
        ("a.json", b'{"a": 1}\n{"a": 2}', [(1, {"a": 1}), (2, {"a": 2})]),
        ("a.json", '{"a": "x\u2028y"}\n'.encode(), [(1, {"a": "x\u2028y"})]),
        ("a.txt", "Warum?\r\n\nWozu, é?\n".encode(), [(1, "Warum?"), (3, "Wozu, é?")]),
        (
            "a.csv",
            b'prompt,id\n"Why,\nnow?",7\nHow?,8\n',
            [(3, {"prompt": "Why,\nnow?", "id": "7"}), (4, {"prompt": "How?", "id": "8"})],
        ),
    ],
)
def test_each_form_gives_its_rows_with_their_lines(filename, content, expected):
    assert rows(content, filename) == expected


SEVEN = b'{"a": 1}\n' * 6


@pytest.mark.parametrize(
    ("filename", "content", "line", "says"),
    [
        ("a.jsonl", b"", None, "empty"),
        ("a.jsonl", b"\n \n", None, "empty"),
        ("a.json", b"", None, "empty"),
        ("a.json", b"[]", None, "empty"),
        ("a.csv", b"prompt\n", None, "empty"),
        ("a.txt", b"\n\n", None, "empty"),
        ("a.jsonl", SEVEN + b'{"a": \n', 7, "not JSON"),
        ("a.jsonl", SEVEN + b'{"a": 1} x\n', 7, "extra data at character 9"),
        ("a.jsonl", SEVEN + b'{"a": "\xff"}\n', 7, r"not UTF-8 \(byte 8"),
        ("a.json", b"[" + b'{"a": 1},\n' * 6 + b"{a}]", 7, "not JSON"),
        ("a.json", b"[" + b'{"a": 1},\n' * 6 + b'{"a": 1} {"a": 2}]', 7, "expected , or"),
        ("a.json", b"[" + b'{"a": 1},\n' * 6 + b"]", 7, "not JSON"),
        ("a.json", b"[" + b'{"a": 1},\n' * 6 + b'{"a": 1}', 7, "expected , or"),
        ("a.json", b'[{"a": 1}]\nmore', 2, "follows the end"),
        ("a.json", b'[{"a": 1}]]', 1, "follows the end"),
        ("a.json", b'"text"', 1, "expected a list"),
        ("a.json", b"[" * 100_000, 1, "nested too deep"),
        ("a.jsonl", SEVEN + b"[" * 100_000, 7, "nested too deep"),
        ("a.jsonl", SEVEN + b"9" * 5_000, 7, "number that is too long"),
        ("a.csv", b"prompt,id\n" + b"x,1\n" * 5 + b"x\n", 7, "expected 2 columns"),
        ("a.csv", b"prompt,id\n" + b"x,1\n" * 5 + b"x,1,2\n", 7, "expected 2 columns"),
        ("a.csv", b"prompt,id\n" + b"x,1\n" * 5 + b'"x,1\n', 7, "not CSV"),
        ("a.txt", b"x\n" * 6 + b"\xc3\n", 7, "not UTF-8"),
        ("a.xlsx", b"PK", None, "use .jsonl"),
        ("noname", b"x", None, "use .jsonl"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_line_and_reason(filename, content, line, says):
    with pytest.raises(UploadRefused, match=says) as refused:
        rows(content, filename)
    assert refused.value.line == line


class Endless(io.RawIOBase):
    """A file that goes on forever and counts what is read of it."""

    def __init__(self, line):
        self.line = line
        self.n_read = 0

    def readline(self, size=-1):
        piece = self.line if size < 0 else self.line[:size]
        self.n_read += len(piece)
        return piece


@pytest.mark.parametrize("line", [b'{"a": 1}\n', b"x" * 2**24])
@pytest.mark.parametrize("filename", ["a.jsonl", "a.json", "a.csv", "a.txt"])
def test_a_file_that_is_too_large_is_refused_while_it_streams(monkeypatch, filename, line):
    monkeypatch.setattr(reading, "MAX_BYTES", 2**20)
    file = Endless(line)

    with pytest.raises(UploadRefused):
        list(read_rows(file, filename))
    assert file.n_read <= 2**20 + 1


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr(reading, "MAX_ROWS", 3)

    with pytest.raises(UploadTooLarge, match="more than 3 rows"):
        rows(b"a\nb\nc\nd\n", "a.txt")
