from alignment.domain.plots import XY, Mark, xy_plot
from feedback.domain.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH


def test_points_span_the_box_and_keep_their_intervals():
    plot = xy_plot([XY(0, 1, 0, 2), XY(2, 3, 2, 4)])
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    middle = (LEFT + right) / 2
    assert plot.dots[0][0] == LEFT
    assert plot.dots[1][0] == right
    assert plot.dots[1][1] < plot.dots[0][1]
    assert plot.band.split()[0] == f"{float(LEFT)},{(TOP + floor) / 2}"  # the first interval's high end: 2 of 4
    assert plot.band.split()[-1] == f"{float(LEFT)},{float(floor)}"
    assert [tick.label for tick in plot.x_ticks] == ["0", "0.5", "1", "1.5", "2"]
    assert plot.x_ticks[2].at == middle
    assert plot.diagonal is None


def test_a_mark_stands_at_its_place():
    plot = xy_plot([XY(0, 0, 0, 0), XY(2, 1, 1, 1)], marks=[Mark(1, "warning"), Mark(1.5, "they part")])
    left, right = plot.marks
    assert (left.at, left.label) == ((LEFT + WIDTH - RIGHT) / 2, "warning")
    assert left.label_y < right.label_y
    assert (left.anchor, right.anchor) == ("start", "end")  # there is no room at the right of the second
    assert right.label_at < right.at


def test_in_a_square_both_axes_have_the_same_ends_and_the_diagonal_runs_through():
    plot = xy_plot([XY(0.6, 0.7, 0.7, 0.7)], square=(0.5, 1.0))
    assert plot.diagonal == (LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, TOP)
    assert [tick.label for tick in plot.x_ticks] == [tick.label for tick in plot.y_ticks]
    assert plot.dots[0][1] < HEIGHT - BOTTOM


def test_one_point_alone_can_be_drawn():
    assert len(xy_plot([XY(3, 3, 3, 3)]).dots) == 1


def test_what_lies_beyond_a_square_is_drawn_at_its_edge():
    plot = xy_plot([XY(0.6, 0.4, 0.4, 0.4)], square=(0.5, 1.0))
    assert plot.dots[0][1] == HEIGHT - BOTTOM
