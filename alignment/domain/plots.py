"""The geometry of points with intervals over a measured axis: numbers in, coordinates and labels out.

Knows nothing of SVG, pages or what the numbers mean. A curve over steps is `feedback/domain/chart.py`.
"""

import dataclasses
from collections.abc import Sequence

from feedback.domain.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Tick, nice_ticks

MIN_WIDTH = 1e-6
"""Of the axis: points that all stand at one place can still be drawn."""

LABEL_GAP = 4
LABEL_LINE = 14
"""Pixels beside a mark and between the labels of marks."""


@dataclasses.dataclass(frozen=True)
class XY:
    """A point as it is asked for; without an interval its ends are the value."""

    x: float
    y: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Mark:
    """A vertical line at a place worth naming."""

    x: float
    label: str


@dataclasses.dataclass(frozen=True)
class PlacedMark:
    """A mark ready to be drawn; its label stands in a line of its own, on the side where there is more room."""

    at: float
    label: str
    label_at: float
    label_y: float
    anchor: str


@dataclasses.dataclass(frozen=True)
class XYPlot:
    """Points in a box of WIDTH x HEIGHT."""

    line: str
    """For an SVG polyline."""
    band: str
    """The intervals as one closed polygon."""
    dots: tuple[tuple[float, float], ...]
    marks: tuple[PlacedMark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    diagonal: tuple[float, float, float, float] | None
    """From (x, y) to (x, y): where both axes say the same."""

    width = WIDTH
    height = HEIGHT
    left = LEFT
    right = WIDTH - RIGHT
    top = TOP
    bottom = HEIGHT - BOTTOM


def xy_plot(points: Sequence[XY], *, marks: Sequence[Mark] = (), square: tuple[float, float] | None = None) -> XYPlot:
    """Lay out at least one point, from left to right; `square` gives both axes the same ends and draws the diagonal."""
    values = [end for point in points for end in (point.low, point.y, point.high)]
    x_low, x_high = square or (points[0].x, max(points[-1].x, points[0].x + MIN_WIDTH))
    y_marks = nice_ticks(*(square or (min(values), max(values))))
    y_low, y_high = square or (y_marks[0], y_marks[-1])

    def x(value: float) -> float:
        return round(LEFT + (value - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        inside = min(max(value, y_low), y_high)  # a square has its ends: what lies beyond is drawn at the edge
        return round(TOP + (y_high - inside) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    return XYPlot(
        line=" ".join(f"{x(point.x)},{y(point.y)}" for point in points),
        band=" ".join(
            [f"{x(point.x)},{y(point.high)}" for point in points]
            + [f"{x(point.x)},{y(point.low)}" for point in reversed(points)]
        ),
        dots=tuple((x(point.x), y(point.y)) for point in points),
        marks=tuple(_placed(x(mark.x), mark.label, line) for line, mark in enumerate(marks)),
        x_ticks=tuple(Tick(x(mark), f"{mark:g}") for mark in nice_ticks(x_low, x_high) if x_low <= mark <= x_high),
        y_ticks=tuple(Tick(y(mark), f"{mark:g}") for mark in y_marks if y_low <= mark <= y_high),
        diagonal=(x(square[0]), y(square[0]), x(square[1]), y(square[1])) if square else None,
    )


def _placed(at: float, label: str, line: int) -> PlacedMark:
    is_right = at > (LEFT + WIDTH - RIGHT) / 2
    return PlacedMark(
        at,
        label,
        label_at=round(at - LABEL_GAP if is_right else at + LABEL_GAP, 1),
        label_y=TOP + LABEL_LINE * (line + 0.6),
        anchor="end" if is_right else "start",
    )
