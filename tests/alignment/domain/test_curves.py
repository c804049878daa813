import json

from alignment.domain.curves import curves_from, events_parse


def test_a_line_that_is_still_being_written_is_left_out():
    assert events_parse(['{"type": "message", "text": "a"}', '{"type": "mess']) == [{"type": "message", "text": "a"}]


def test_a_resumed_attempt_overwrites_the_steps_that_it_repeats():
    events = [{"type": "metrics", "step": step, "values": {"loss": loss}} for step, loss in [(1, 9), (2, 8), (2, 7)]]
    assert curves_from(events) == {"loss": [(1, 9.0), (2, 7.0)]}


def test_a_long_curve_is_thinned_but_keeps_its_end():
    lines = [json.dumps({"type": "metrics", "step": n, "values": {"loss": n}}) for n in range(1_000)]
    curve = curves_from(events_parse(lines), max_points=50)["loss"]
    assert len(curve) <= 51
    assert curve[0] == (0, 0.0)
    assert curve[-1] == (999, 999.0)
