import datetime as dt

from feedback.domain.pace import AT_LEAST, LONGEST, pace_of, time_left

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def every(minutes, n, last=NOW):
    return [last - dt.timedelta(minutes=minutes * index) for index in range(n)]


def test_the_pace_is_over_all_the_time_since_the_first_judgment():
    pace = pace_of(every(6, 21), now=NOW)  # 21 in two hours
    assert (pace.n_judgments, pace.since, pace.per_hour) == (21, NOW - dt.timedelta(hours=2), 10.5)
    assert time_left(pace, n_judgments=42) == dt.timedelta(hours=4)


def test_a_break_makes_it_slower():
    pace = pace_of(every(6, 21, last=NOW - dt.timedelta(hours=5)), now=NOW)
    assert pace.per_hour == 3.0


def test_too_few_judgments_and_old_ones_say_nothing():
    assert pace_of([], now=NOW) is None
    assert pace_of(every(1, AT_LEAST - 1), now=NOW) is None
    assert pace_of(every(1, 50, last=NOW - dt.timedelta(hours=25)), now=NOW) is None


def test_no_estimate_is_longer_than_a_year():
    pace = pace_of(every(60, 20), now=NOW)
    assert time_left(pace, n_judgments=2**31) == LONGEST


def test_judgments_of_one_moment_have_a_pace_too():
    assert pace_of([NOW] * 20, now=NOW).per_hour == 20 * 3600
