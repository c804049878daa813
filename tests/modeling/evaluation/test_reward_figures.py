import math

import pytest

from modeling.evaluation.held_out import HeldOutPair, held_out_read, held_out_write
from modeling.evaluation.reward_figures import main, reward_figures


def pair(difference, prompt="p", **more):
    known = {
        "chosen": 0, "rejected": 1, "ranking": "", "dimension": "", "fold": 0, "weight": 1.0, "target": 1.0,
        "tie": False, "strength": None, "chosen_first": None, "chosen_tokens": 5, "rejected_tokens": 5,
    }  # fmt: skip
    return HeldOutPair(prompt=prompt, difference=difference, **known | more)


def test_accuracy_is_over_pairs_by_weight_and_its_interval_over_prompts():
    pairs = [pair(1.0, "a", weight=3.0), pair(2.0, "a", weight=3.0), pair(-1.0, "b", weight=2.0)]
    figures = reward_figures(pairs)
    assert figures["reward_accuracy"] == 0.75
    assert figures["reward_accuracy_n"] == 3
    assert (figures["reward_accuracy_low"], figures["reward_accuracy_high"]) == (0, 1)


def test_equal_scores_are_wrong_and_cost_ln_2():
    figures = reward_figures([pair(0.0), pair(0.0, "q")])
    assert figures["reward_accuracy"] == 0
    assert figures["heldout_loss"] == pytest.approx(math.log(2))


def test_a_soft_label_under_one_half_expects_the_other_answer_to_win():
    figures = reward_figures([pair(-math.log(3), target=0.2)])
    assert figures["reward_accuracy"] == 1
    assert figures["heldout_loss"] == pytest.approx(0.8 * math.log(4 / 3) + 0.2 * math.log(4))


def test_ties_are_counted_and_left_out():
    figures = reward_figures([pair(1.0), pair(5.0, tie=True, target=0.5), pair(-5.0, target=0.5)])
    assert (figures["reward_accuracy"], figures["reward_accuracy_n"], figures["heldout_n_undecided"]) == (1, 1, 2)


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error():
    d = math.log(3)  # sure by 3/4
    figures = reward_figures([pair(d), pair(d), pair(d), pair(-d)])
    assert figures["calibration_error"] == pytest.approx(0)
    (row,) = [row for row in figures["calibration"] if row["n"]]
    assert (row["low"], row["n"]) == (0.75, 4)
    assert (row["confidence"], row["right"]) == pytest.approx((0.75, 0.75))


def test_calibration_error_is_the_distance_of_sure_from_right():
    # Bin 0.75: sure 3/4, right 1/2, two pairs; the last bin: sure 0.99, right always, two pairs.
    d, e = math.log(3), math.log(99)
    figures = reward_figures([pair(d), pair(-d), pair(e), pair(e)])
    assert figures["calibration_error"] == pytest.approx((0.25 + 0.01) / 2)


def test_agreement_is_told_by_stated_strength():
    figures = reward_figures([pair(1.0, strength=1), pair(-1.0, strength=1), pair(1.0, strength=3), pair(1.0)])
    assert (figures["accuracy_strength_1"], figures["accuracy_strength_1_n"]) == (0.5, 2)
    assert (figures["accuracy_strength_3"], figures["accuracy_strength_3_n"]) == (1, 1)
    assert "accuracy_strength_2" not in figures


def test_dimensions_are_told_apart_where_there_are_several():
    figures = reward_figures([pair(1.0), pair(-1.0, dimension="tone"), pair(1.0, dimension="tone")])
    assert (figures["accuracy_dimension_overall"], figures["accuracy_dimension_tone"]) == (1, 0.5)
    assert "accuracy_dimension_overall" not in reward_figures([pair(1.0)])


def test_the_share_of_first_shown_winners_is_told_for_model_and_people():
    pairs = [pair(1.0, chosen_first=True), pair(-1.0, chosen_first=True), pair(1.0, chosen_first=False), pair(9.0)]
    figures = reward_figures(pairs)
    assert figures["first_position"] == pytest.approx(1 / 3)
    assert (figures["first_position_people"], figures["first_position_n"]) == (pytest.approx(2 / 3), 3)


def test_length_matters_to_a_model_that_prefers_longer_answers():
    pairs = [
        pair(1.0 if i % 2 else -1.0, f"p{i}", chosen_tokens=30 if i % 2 else 10, rejected_tokens=20) for i in range(40)
    ]
    figures = reward_figures(pairs)
    assert figures["length_coefficient"] > 2
    assert figures["length_coefficient_people"] == pytest.approx(0)
    assert figures["length_excess_p"] < 0.01


def test_the_file_gives_the_figures_again(tmp_path, capsys):
    pairs = [pair(0.1 + i / 3, f"p{i}", strength=2, chosen_first=bool(i % 2)) for i in range(5)]
    held_out_write(tmp_path / "heldout.jsonl", pairs)
    assert held_out_read(tmp_path / "heldout.jsonl") == pairs
    assert main([str(tmp_path / "heldout.jsonl")]) == 0
    assert f'"reward_accuracy_n": {reward_figures(pairs)["reward_accuracy_n"]}' in capsys.readouterr().out
