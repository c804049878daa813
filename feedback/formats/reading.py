"""Read rows from a person's file: bounded, UTF-8 only, and every refusal names the line and the reason.

Knows nothing of what the rows mean. A file is judged while it streams: 200 MB are refused after the first 50.
"""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, BinaryIO

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from feedback.domain.errors import UploadRefused, UploadTooLarge

MAX_BYTES = 50 * 2**20
"""A JSON file is held in memory while it is read, some ten times its size in a process that also answers pages."""
MAX_ROWS = 100_000
"""What one transaction writes in some ten seconds, while others wait on SQLite."""

_DECODER = json.JSONDecoder()

Row = tuple[int, Any]
"""(line, value)"""


def read_rows(file: BinaryIO, filename: str) -> Iterator[Row]:
    """Yield the rows of a .jsonl, .json (a list), .csv (objects) or .txt file (texts). Raises: UploadRefused."""
    suffix = PurePath(filename).suffix.lower()
    readers: dict[str, Callable[[BinaryIO], Iterator[Row]]] = {
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".json": _read_json,
        ".csv": _read_csv,
        ".txt": _read_txt,
    }
    if suffix not in readers:
        raise UploadRefused(
            _("Files named %(pattern)s are not known; use .jsonl, .json, .csv or .txt.") % {"pattern": f"*{suffix}"}
        )
    n_rows = 0
    for line, value in readers[suffix](file):
        n_rows += 1
        if n_rows > MAX_ROWS:
            raise UploadTooLarge(
                _("There are more than %(max)s rows; split the file.") % {"max": f"{MAX_ROWS:,}"}, line
            )
        yield line, value
    if not n_rows:
        raise UploadRefused(_("The file is empty: it has no rows."))


def read_lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Yield (line, text with its line end). Raises: UploadRefused."""
    n_bytes = 0
    line = 0
    while raw := file.readline(MAX_BYTES - n_bytes + 1):
        line += 1
        n_bytes += len(raw)
        if n_bytes > MAX_BYTES:
            raise UploadTooLarge(_("The file is larger than %(max)d MB; split it.") % {"max": MAX_BYTES // 2**20}, line)
        try:
            yield line, raw.decode("utf-8-sig" if line == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise UploadRefused(
                _("this is not UTF-8 (byte %(byte)d of the line).") % {"byte": error.start + 1}, line
            ) from error


def _read_jsonl(file: BinaryIO) -> Iterator[Row]:
    for line, text in read_lines(file):
        if text.strip():
            yield line, _decode(text, line)


def _read_json(file: BinaryIO) -> Iterator[Row]:
    """Yield the members of one list, or, when it starts with an object, the lines of a JSONL file with another name."""
    text = "".join(text for _, text in read_lines(file))
    if text.lstrip().startswith("{"):
        for line, row in enumerate(text.split("\n"), start=1):
            if row.strip():
                yield line, _decode(row, line)
        return
    yield from _read_list(text)


def _read_list(text: str) -> Iterator[Row]:
    position = _skip_space(text, 0)
    if position == len(text):
        return
    if text[position] != "[":
        raise UploadRefused(_("expected a list of objects: [{...}, {...}]."), 1)
    position = _skip_space(text, position + 1)
    line, counted = 1, 0
    more = not text.startswith("]", position)
    while more:
        line, counted = line + text.count("\n", counted, position), position
        value, position = _decode_at(text, position, line)
        yield line, value
        position = _skip_space(text, position)
        if text[position : position + 1] not in {",", "]"}:
            raise UploadRefused(_("this is not JSON (expected , or ])."), 1 + text.count("\n", 0, position))
        more = text[position] == ","
        position = _skip_space(text, position + 1) if more else position
    if text[position + 1 :].strip():
        raise UploadRefused(_("something follows the end of the list."), 1 + text.rstrip().count("\n"))


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _read_csv(file: BinaryIO) -> Iterator[Row]:
    reader = csv.DictReader((text for _, text in read_lines(file)), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                n_columns = len(reader.fieldnames or ())
                reason = ngettext(
                    "expected %(n)d column, as in the header.", "expected %(n)d columns, as in the header.", n_columns
                )
                raise UploadRefused(reason % {"n": n_columns}, reader.line_num)
            yield reader.line_num, row
    except csv.Error as error:
        raise UploadRefused(_("this is not CSV (%(why)s).") % {"why": error}, reader.reader.line_num) from error


def _read_txt(file: BinaryIO) -> Iterator[Row]:
    for line, text in read_lines(file):
        if text.strip():
            yield line, text.strip()


def _decode(text: str, line: int) -> Any:
    text = text.strip()
    value, end = _decode_at(text, 0, line, lines_before=line - 1)
    if end < len(text):
        raise UploadRefused(_("this is not JSON (extra data at character %(place)d).") % {"place": end + 1}, line)
    return value


def _decode_at(text: str, position: int, line: int, lines_before: int = 0) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        reason = _("this is not JSON (%(why)s at character %(place)d).") % {"why": error.msg, "place": error.colno}
        raise UploadRefused(reason, lines_before + error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise UploadRefused(
            _("this is JSON that is nested too deep or has a number that is too long."), line
        ) from error
