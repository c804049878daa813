"""Pages of a list of any length: each begins below the last id of the one before, and none takes longer than a look.

Conditions that no index answers are judged in parts of the list that grow until a page is full or the time is up;
then the reader is told how far that look went and may go on from there. A million rows are never counted or skipped.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

LOOK_S = 0.06
"""After this no further part is begun: it would take as long as all before it and more, and a page has 300 ms."""
FIRST_PART = 1_000
"""Rows: some milliseconds, and mostly enough for a page."""
LARGEST_PART = 16_000
"""Rows: where the words of each prompt must be read, about 0.1 s."""
NARROW = 5_000
"""Ids that are listed rather than looked for: a few kilobytes, found by an index in milliseconds."""
LISTED_PART = 900
"""Values in one IN (...): older SQLite takes 999 parameters."""

Row = TypeVar("Row", bound=Model)


@dataclasses.dataclass(frozen=True)
class Found(Generic[Row]):
    """One page, the newest row first."""

    rows: list[Row]
    below: int | None
    """Below which id the next page begins; None when there is nothing further."""
    is_complete: bool = True
    """False when the time was up before the page was full: everything from `below` up was looked at."""


def keyset_page(
    *,
    rows: QuerySet[Row],
    matching: Callable[[QuerySet[Row]], QuerySet[Row]],
    narrow: Callable[[], list[int] | None],
    below: int | None = None,
    limit: int,
    look_s: float = LOOK_S,
) -> Found[Row]:
    """Return the page below an id: `rows` are reached by an index, `matching` keeps what was asked for.

    Where the first part is not enough, `narrow` is asked for the ids of all that can match, if they are few.
    """
    until = time.monotonic() + look_s
    found: list[Row] = []
    for part, end in _parts(rows, narrow, below):
        found += matching(part).order_by("-pk")[: limit + 1 - len(found)]
        if len(found) > limit:
            return Found(found[:limit], below=found[limit - 1].pk)
        if end is not None and time.monotonic() > until:
            return Found(found, below=end, is_complete=False)
    return Found(found, below=None)


def narrow_ids(*rows: QuerySet[Row]) -> list[int] | None:
    """Return the ids of the first of these lists that is short, or None when all are long."""
    for candidates in rows:
        ids = list(candidates.values_list("pk", flat=True)[: NARROW + 1])
        if len(ids) <= NARROW:
            return ids
    return None


def _parts(
    rows: QuerySet[Row], narrow: Callable[[], list[int] | None], below: int | None
) -> Iterator[tuple[QuerySet[Row], int | None]]:
    """Yield parts from the newest down with the id where each ends, None for the last."""
    end = _end(rows, below, FIRST_PART)
    yield _between(rows, below, end), end
    if end is None:
        return
    ids = narrow()
    yield from _doubling(rows, end) if ids is None else _listed(rows, sorted({pk for pk in ids if pk < end}))


def _doubling(rows: QuerySet[Row], below: int) -> Iterator[tuple[QuerySet[Row], int | None]]:
    size, start, end = FIRST_PART, below, _end(rows, below, FIRST_PART)
    while end is not None:
        yield _between(rows, start, end), end
        size, start = min(2 * size, LARGEST_PART), end
        end = _end(rows, start, size)
    yield _between(rows, start, None), None


def _listed(rows: QuerySet[Row], ids: Sequence[int]) -> Iterator[tuple[QuerySet[Row], int | None]]:
    left = list(reversed(ids))
    for start in range(0, len(left), LISTED_PART):
        part = left[start : start + LISTED_PART]
        yield rows.filter(pk__in=part), (part[-1] if start + LISTED_PART < len(left) else None)


def _end(rows: QuerySet[Row], below: int | None, size: int) -> int | None:
    """Return the id of the last of the next `size` rows, None when there are fewer."""
    ids = _between(rows, below, None).order_by("-pk").values_list("pk", flat=True)
    return next(iter(ids[size - 1 : size]), None)


def _between(rows: QuerySet[Row], below: int | None, end: int | None) -> QuerySet[Row]:
    rows = rows if below is None else rows.filter(pk__lt=below)
    return rows if end is None else rows.filter(pk__gte=end)
