import math

import pytest

from alignment.domain.figures import figure_groups, reward_figures, trajectory, win_rate_rows


def lines_by_label(groups):
    return {str(line.label): line for group in groups for line in group.lines}


def test_only_what_was_measured_is_shown_with_its_interval_and_its_sft_twin():
    groups = figure_groups({
        "win_rate": 0.7, "win_rate_low": 0.6, "win_rate_high": 0.8, "mean_tokens": 21.0, "sft_mean_tokens": 19.0,
    })  # fmt: skip
    lines = lines_by_label(groups)
    assert [str(group.title) for group in groups] == ["Is it better", "At what price"]
    assert set(lines) == {"Win rate against SFT", "Mean length, tokens"}
    rate, length = lines.values()
    assert (rate.low, rate.value, rate.high, rate.sft) == (0.6, 0.7, 0.8, 0.5)
    assert (length.value, length.sft, length.low) == (21.0, 19.0, None)


def test_best_of_n_of_sft_stands_alone_where_the_policys_was_not_measured():
    (line,) = figure_groups({"best_of_4": 0.69})[0].lines
    assert (line.value, line.sft) == (None, 0.69)


@pytest.mark.parametrize("value", [None, "0.7", True, math.nan, math.inf])
def test_what_is_no_number_is_not_shown(value):
    assert figure_groups({"win_rate": value}) == []


def test_win_rates_without_an_interval_are_not_drawn():
    metrics = {"win_rate": 0.7, "win_rate_low": 0.6, "win_rate_high": 0.8, "best_of_4": 0.69}
    (row,) = win_rate_rows(metrics)
    assert (row.low, row.value, row.high) == (0.6, 0.7, 0.8)


def point(step, kl, reward, judge):
    ends = {"reward_low": reward, "reward_high": reward, "judge_low": judge, "judge_high": judge}
    return {"step": step, "kl_nats": kl, "reward": reward, "judge": judge, **ends}


def test_the_curve_is_drawn_over_the_square_root_of_the_kl_from_left_to_right():
    found = trajectory({
        "snapshots": [point(0, -0.01, 0, 0), point(5, 9.0, 1, 2), point(10, 4.0, 2, 1)],
        "warning_step": 5, "parting_step": 10, "parting_seen_step": 10,
    })  # fmt: skip
    assert [xy.x for xy in found.judge] == [0, 2, 3]
    assert [xy.y for xy in found.judge] == [0, 1, 2]
    assert [(mark.x, mark.label) for mark in found.marks] == [(3, "warning"), (2, "they part")]
    assert [row["step"] for row in found.points] == [0, 5, 10]


def test_a_run_without_snapshots_has_no_curve():
    assert trajectory({}) is None
    assert trajectory({"snapshots": [point(0, 0, 0, 0)]}) is None


def test_a_curve_that_does_not_part_has_no_marks():
    found = trajectory({"snapshots": [point(0, 0, 0, 0), point(5, 1, 1, 1)]})
    assert found.marks == []
    assert found.parting_step is found.warning_step is None


def test_the_reward_models_table_leaves_out_empty_bins():
    bins = [
        {"low": 0.5, "n": 3, "confidence": 0.52, "right": 0.6},
        {"low": 0.55, "n": 0, "confidence": None, "right": None},
    ]
    found = reward_figures({
        "reward_accuracy": 0.7, "calibration": bins, "accuracy_strength_2": 0.8, "accuracy_strength_2_n": 9,
    })  # fmt: skip
    assert found.calibration == bins[:1]
    assert [(xy.x, xy.y) for xy in found.reliability] == [(0.52, 0.6)]
    assert found.strengths == [(2, 0.8, 9)]


def test_a_run_that_is_no_reward_model_has_no_such_figures():
    assert reward_figures({"final_loss": 0.3}) is None
