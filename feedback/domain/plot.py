"""The geometry of histograms and of rows of intervals: numbers in, coordinates and labels out.

Knows nothing of SVG, pages or what the numbers mean.
"""

import dataclasses
from collections.abc import Sequence

from feedback.domain.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick, nice_ticks

N_EDGES = 6
"""Edges of bins that get a number: more run into each other on a phone."""
NAMES = 104
"""Room for names at the left of intervals: 16 letters."""
NAME_LENGTH = 16
ROW = 20
AXIS = 26
_GAP = 1.0
"""Between bars."""


@dataclasses.dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class HistogramPlot:
    """Bars in a box of WIDTH x HEIGHT."""

    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    rows: tuple[tuple[float, float, int], ...]
    """(from, to, count)"""
    n: int
    fullest: tuple[float, float, int]
    """The row with the highest count."""

    width = WIDTH
    height = HEIGHT
    left = LEFT
    right = WIDTH - RIGHT
    bottom = HEIGHT - BOTTOM


@dataclasses.dataclass(frozen=True)
class IntervalRow:
    """A value with its interval, as it is asked for."""

    name: str
    low: float | None
    value: float
    high: float | None


@dataclasses.dataclass(frozen=True)
class PlacedRow:
    """A row ready to be drawn; without an interval its ends are where the value is."""

    name: str
    y: float
    low: float
    value: float
    high: float


@dataclasses.dataclass(frozen=True)
class IntervalPlot:
    """Rows below each other in a box of WIDTH x `height`."""

    rows: tuple[PlacedRow, ...]
    x_ticks: tuple[Tick, ...]
    reference: float
    """Where the line stands that the intervals are compared with."""
    height: float

    width = WIDTH
    top = TOP
    names = NAMES - 8

    @property
    def bottom(self) -> float:
        """Where the axis is."""
        return self.height - AXIS


def histogram_plot(edges: Sequence[float], counts: Sequence[int]) -> HistogramPlot | None:
    """Lay out counts in bars of equal width, also where the bins are not. None where nothing was counted."""
    if not sum(counts):
        return None
    marks = nice_ticks(0, max(counts))
    step = (WIDTH - LEFT - RIGHT) / len(counts)
    room = HEIGHT - TOP - BOTTOM

    def y(count: float) -> float:
        return round(TOP + room * (1 - count / marks[-1]), 1)

    rows = tuple(zip(edges[:-1], edges[1:], counts, strict=True))
    stride = -(-len(counts) // N_EDGES)
    return HistogramPlot(
        bars=tuple(
            Bar(round(LEFT + index * step, 1), y(count), round(step - _GAP, 1), round(HEIGHT - BOTTOM - y(count), 1))
            for index, count in enumerate(counts)
        ),
        x_ticks=tuple(
            Tick(round(LEFT + index * step, 1), f"{edges[index]:.4g}") for index in range(0, len(edges), stride)
        ),
        y_ticks=tuple(Tick(y(mark), f"{mark:g}") for mark in marks if mark == int(mark)),
        rows=rows,
        n=sum(counts),
        fullest=max(rows, key=lambda row: row[2]),
    )


def interval_plot(
    rows: Sequence[IntervalRow], *, reference: float, bounds: tuple[float, float] | None = None
) -> IntervalPlot | None:
    """Lay out rows of intervals on one scale: `bounds`, or one that holds all ends and the reference."""
    if not rows:
        return None
    ends = [end for row in rows for end in (row.low, row.value, row.high) if end is not None]
    low, high = bounds or (min(reference, *ends), max(reference, *ends))
    marks = nice_ticks(low, high)
    first, last = (low, high) if bounds else (marks[0], marks[-1])

    def x(value: float) -> float:
        share = (min(max(value, first), last) - first) / (last - first)
        return round(NAMES + share * (WIDTH - NAMES - RIGHT), 1)

    return IntervalPlot(
        rows=tuple(
            PlacedRow(
                name=row.name if len(row.name) <= NAME_LENGTH else f"{row.name[: NAME_LENGTH - 1]}…",
                y=TOP + ROW * (index + 0.5),
                low=x(row.value if row.low is None else row.low),
                value=x(row.value),
                high=x(row.value if row.high is None else row.high),
            )
            for index, row in enumerate(rows)
        ),
        x_ticks=tuple(Tick(x(mark), f"{mark:g}") for mark in marks if first <= mark <= last),
        reference=x(reference),
        height=TOP + ROW * len(rows) + AXIS,
    )
