"""Write rows for people and programs: JSON lines verbatim, CSV with formulas made harmless.

The same rows give the same bytes.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet computes cells that begin so. Source: https://owasp.org/www-community/attacks/CSV_Injection"""


def jsonl_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield one line of JSON for each row, texts as they are."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


def csv_lines(rows: Iterable[dict[str, Any]], columns: list[str]) -> Iterator[str]:
    """Yield a header and one record for each row; lists and objects as JSON, formulas behind an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        yield _drain(buffer)
        writer.writerow([csv_cell(row.get(column)) for column in columns])
    yield _drain(buffer)


def csv_cell(value: Any) -> str:
    """Return a value as text that no spreadsheet takes for a formula; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _drain(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
