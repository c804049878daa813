"""The geometry of a line chart: numbers in, coordinates and labels out. Knows nothing of SVG, pages or runs."""

import dataclasses
import math
from collections.abc import Sequence

WIDTH, HEIGHT = 360, 170
"""About the width of a phone, so that text in the drawing keeps its size there."""
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 8, 24
N_TICKS = 4
MAX_ROWS = 20
"""Rows of the table beside the drawing: enough to follow a curve by ear."""


@dataclasses.dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclasses.dataclass(frozen=True)
class Chart:
    """A curve ready to be drawn in a box of WIDTH x HEIGHT."""

    points: str
    """For an SVG polyline."""
    area: str
    """The curve closed down to the axis."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    end: tuple[float, float]
    """Where the newest point is."""
    first: float
    last: float
    low: float
    high: float
    n_points: int
    rows: tuple[tuple[int, float], ...]

    width = WIDTH
    height = HEIGHT
    left = LEFT
    right = WIDTH - RIGHT
    bottom = HEIGHT - BOTTOM


def line_chart(curve: Sequence[tuple[int, float]]) -> Chart | None:
    """Lay out a curve of (step, value); points that are not finite are left out. None for fewer than two points."""
    points = [(step, value) for step, value in curve if math.isfinite(value)]
    if len(points) < 2:
        return None
    steps, values = [step for step, _ in points], [value for _, value in points]
    y_marks = nice_ticks(min(values), max(values))
    y_low, y_high = min(y_marks[0], *values), max(y_marks[-1], *values)
    x_low, x_high = min(steps), max(*steps, min(steps) + 1)

    def x(step: float) -> float:
        return round(LEFT + (step - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(TOP + (y_high - value) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM), 1)

    placed = [(x(step), y(value)) for step, value in points]
    line = " ".join(f"{px},{py}" for px, py in placed)
    floor = HEIGHT - BOTTOM
    stride = -(-len(points) // MAX_ROWS)
    return Chart(
        points=line,
        area=f"{placed[0][0]},{floor} {line} {placed[-1][0]},{floor}",
        x_ticks=tuple(Tick(x(mark), _label(mark)) for mark in nice_ticks(x_low, x_high) if x_low <= mark <= x_high),
        y_ticks=tuple(Tick(y(mark), _label(mark)) for mark in y_marks),
        end=placed[-1],
        first=values[0],
        last=values[-1],
        low=min(values),
        high=max(values),
        n_points=len(points),
        rows=(*points[:-1:stride], points[-1]),
    )


def nice_ticks(low: float, high: float, n: int = N_TICKS) -> list[float]:
    """Return round numbers that span the range, a step of 1, 2 or 5 times a power of ten apart."""
    if high <= low:
        pad = abs(low) / 10 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _label(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}"
