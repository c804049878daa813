import math

import pytest

from feedback.domain.chart import BOTTOM, HEIGHT, LEFT, MAX_ROWS, RIGHT, TOP, WIDTH, line_chart, nice_ticks


def test_the_corners_of_a_curve_lie_in_the_corners_of_the_box():
    chart = line_chart([(0, 0.0), (10, 4.0)])
    assert chart.points == f"{LEFT:.1f},{HEIGHT - BOTTOM:.1f} {WIDTH - RIGHT:.1f},{TOP:.1f}"
    assert chart.end == (WIDTH - RIGHT, TOP)
    assert (chart.first, chart.last, chart.low, chart.high) == (0.0, 4.0, 0.0, 4.0)


@pytest.mark.parametrize("curve", [[], [(1, 2.0)], [(1, math.nan), (2, math.inf), (3, 1.0)]])
def test_fewer_than_two_finite_points_are_no_curve(curve):
    assert line_chart(curve) is None


def test_a_flat_curve_is_drawn_in_the_middle():
    chart = line_chart([(1, 5.0), (2, 5.0)])
    (_, y), _ = (tuple(map(float, point.split(","))) for point in chart.points.split())
    assert TOP < y < HEIGHT - BOTTOM


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 4, [0, 1, 2, 3, 4]),
        (0.13, 0.97, [0, 0.5, 1.0]),
        (-3, 7, [-5, 0, 5, 10]),
        (1200, 1900, [1200, 1400, 1600, 1800, 2000]),
    ],
)
def test_ticks_are_round_numbers_that_span_the_range(low, high, ticks):
    assert nice_ticks(low, high) == ticks


def test_the_table_is_short_and_ends_with_the_newest_value():
    chart = line_chart([(step, float(step)) for step in range(1000)])
    assert len(chart.rows) <= MAX_ROWS + 1
    assert chart.rows[-1] == (999, 999.0)
