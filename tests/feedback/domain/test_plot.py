from feedback.domain.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from feedback.domain.plot import NAMES, IntervalRow, histogram_plot, interval_plot


def test_bars_stand_on_the_axis_and_the_fullest_bin_is_the_highest():
    plot = histogram_plot((0, 1, 2, 10), (2, 4, 0))

    assert [bar.height for bar in plot.bars] == [(HEIGHT - TOP - BOTTOM) / 2, HEIGHT - TOP - BOTTOM, 0]
    assert {round(bar.y + bar.height, 1) for bar in plot.bars} == {HEIGHT - BOTTOM}
    assert plot.bars[0].x == LEFT
    assert round(plot.bars[-1].x + plot.bars[-1].width + 1) == WIDTH - RIGHT
    assert (plot.n, plot.fullest) == (6, (1, 2, 4))
    assert plot.rows == ((0, 1, 2), (1, 2, 4), (2, 10, 0))


def test_bins_of_any_width_are_drawn_alike_and_name_their_edges():
    plot = histogram_plot((0, 1, 10, 1000), (1, 1, 1))

    assert len({bar.width for bar in plot.bars}) == 1
    assert [tick.label for tick in plot.x_ticks] == ["0", "1", "10", "1000"]
    assert [tick.label for tick in plot.y_ticks] == ["0", "1"]


def test_many_bins_name_a_few_edges():
    assert len(histogram_plot(tuple(range(41)), (1,) * 40).x_ticks) <= 7


def test_nothing_counted_is_no_picture():
    assert histogram_plot((), ()) is None
    assert histogram_plot((0, 1), (0,)) is None
    assert interval_plot([], reference=0) is None


def test_intervals_lie_on_one_scale_with_what_they_are_compared_with():
    rows = [IntervalRow("a", 0.0, 0.25, 0.5), IntervalRow("b", None, 1.0, None)]
    plot = interval_plot(rows, reference=0.5, bounds=(0.0, 1.0))

    first, second = plot.rows
    room = WIDTH - RIGHT - NAMES
    assert (first.low, first.value, first.high) == (NAMES, NAMES + room / 4, NAMES + room / 2)
    assert (second.low, second.value, second.high) == (WIDTH - RIGHT,) * 3
    assert plot.reference == NAMES + room / 2
    assert first.y < second.y < plot.bottom < plot.height


def test_without_bounds_the_scale_holds_every_end():
    plot = interval_plot([IntervalRow("a", -3.2, 1.0, 4.1)], reference=0)

    [row] = plot.rows
    assert NAMES <= row.low < row.value < row.high <= WIDTH - RIGHT
    assert [tick.label for tick in plot.x_ticks] == ["-4", "-2", "0", "2", "4", "6"]


def test_a_long_name_is_cut_where_its_room_ends():
    [row] = interval_plot([IntervalRow("a-very-long-name-of-a-source", None, 1, None)], reference=0).rows
    assert row.name == "a-very-long-nam…"
