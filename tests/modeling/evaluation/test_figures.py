import json

import pytest

from modeling.evaluation import recompute
from modeling.evaluation.figures import evaluation_figures, win_share


def answer(score, text="It is so.", n_tokens=4, *, cut=False, **more):
    return {"text": text, "n_tokens": n_tokens, "cut": cut, "score": score, **more}


@pytest.fixture
def rows():
    """Two prompts, two answers a side; every figure below is counted by hand."""
    return [
        {
            "prompt_id": "a",
            "messages": [{"role": "user", "content": "A?"}],
            "policy": [answer(3, "One.", 2, log_ratio=1.0), answer(3, "Two.", 2, log_ratio=3.0)],
            "sft": [answer(1, "One.", 4, reward=0.1), answer(3, "One.", 6, reward=0.9)],
            "previous": [answer(3, "P.", 4), answer(4, "Q.", 4)],
            "plain": answer(2, "Z.", 4),
            "oracle": [answer(5), answer(0)],
        },
        {
            "prompt_id": "b",
            "messages": [{"role": "user", "content": "B?"}],
            "policy": [answer(2, "One.", 8, log_ratio=0.0), answer(0, "no end", 64, cut=True, log_ratio=6.0)],
            "sft": [answer(1, "X.", 4, reward=0.5), answer(1, "Y", 6, reward=0.2)],
            "previous": [answer(0, "P.", 4), answer(0, "Q.", 4)],
            "plain": answer(1, "Z.", 4),
        },
    ]


def test_a_tie_is_half_a_win():
    assert win_share([3, 3], [1, 3]) == 0.75  # wins 1, tie, win, tie
    assert win_share([2, 0], [1, 1]) == 0.5


def test_every_figure_is_what_counting_by_hand_gives(rows):
    figures = evaluation_figures(rows, n_bootstrap=200)
    assert figures["n_prompts"] == 2
    assert figures["win_rate"] == pytest.approx((0.75 + 0.5) / 2)
    assert (figures["win_rate_low"], figures["win_rate_high"]) == (0.5, 0.75)
    assert figures["win_rate_previous"] == pytest.approx((0.25 + 0.75) / 2)
    assert figures["kl_nats"] == pytest.approx((1 + 3 + 0 + 6) / 4)
    assert figures["sft_kl_nats"] == 0
    assert figures["mean_tokens"] == pytest.approx((2 + 2 + 8 + 64) / 4)
    assert figures["sft_mean_tokens"] == pytest.approx((4 + 6 + 4 + 6) / 4)
    assert figures["cut_share"] == 0.25
    assert figures["sft_cut_share"] == 0
    assert figures["distinct_share"] == 1
    assert figures["sft_distinct_share"] == 0.75
    assert figures["well_formed_share"] == 0.75
    assert figures["sft_well_formed_share"] == 0.75
    assert figures["score"] == 2
    assert figures["sft_score"] == 1.5


def test_best_of_n_plays_the_answer_that_the_reward_model_prefers_against_one_more_plain_answer(rows):
    # a: reward prefers the answer with score 3, the plain one has 2: a win. b: 1 against 1: a tie.
    assert evaluation_figures(rows, n_bootstrap=100)["best_of_2"] == 0.75


def test_oracle_share_is_the_gain_over_that_of_best_of_n_on_the_prompts_that_have_it(rows):
    # Only a: the policy's mean is 3, the SFT mean 2, the best of the four SFT answers 5.
    figures = evaluation_figures(rows, n_bootstrap=100)
    assert figures["oracle_share"] == pytest.approx((3 - 2) / (5 - 2))
    assert (figures["oracle_n"], figures["oracle_n_prompts"]) == (4, 1)


def test_the_win_rate_by_the_reward_model_and_best_of_n_of_the_policy_need_its_rewards(rows):
    assert "win_rate_reward" not in evaluation_figures(rows, n_bootstrap=100)
    for row, rewards in zip(rows, [(0.5, 1.0), (0.0, 0.3)], strict=True):
        for own, reward in zip(row["policy"], rewards, strict=True):
            own["reward"] = reward
    figures = evaluation_figures(rows, n_bootstrap=100)
    # a: 0.5 and 1.0 against 0.1 and 0.9, three wins of four; b: 0.0 and 0.3 against 0.5 and 0.2, one of four.
    assert figures["win_rate_reward"] == pytest.approx((0.75 + 0.25) / 2)
    # a: the chosen one has 3, the plain one 2, a win; b: the chosen one has 0, the plain one 1, a loss.
    assert figures["policy_best_of_2"] == 0.5
    assert (figures["policy_best_of_2_low"], figures["policy_best_of_2_high"]) == (0.0, 1.0)


def test_distinct_n_and_repetition_are_counted_over_all_answers_of_a_side(rows):
    figures = evaluation_figures(rows, n_bootstrap=100)
    # "one ." "two ." "one ." "no end": five of eight words differ, and of the four pairs "one ." comes twice.
    assert figures["distinct_1"] == pytest.approx(5 / 8)
    assert figures["distinct_2"] == pytest.approx(3 / 4)
    assert figures["distinct_3"] == figures["repeated_share"] == 0
    assert figures["sft_distinct_1"] == pytest.approx(4 / 7)  # one . one . x . y


def test_length_is_controlled_over_all_pairs(rows):
    figures = evaluation_figures(rows, n_bootstrap=100)
    assert 0 < figures["win_rate_length_controlled_low"] < figures["win_rate_length_controlled"] < 1
    assert figures["length_effect_low"] < figures["length_effect"] < figures["length_effect_high"]


def test_right_answers_are_shares_of_questions(rows):
    def questions(*right):
        return {
            side: [answer(0, right=value) for value in values]
            for side, values in zip(("policy", "policy_greedy", "sft", "sft_greedy"), right, strict=True)
        } | {"kind": "question", "expected": "1"}

    rows += [questions((True, False), (True,), (False, False), (False,))]
    rows += [questions((True, True), (False,), (False, True), (False,))]
    figures = evaluation_figures(rows, n_bootstrap=200)
    assert (figures["n_prompts"], figures["n_questions"]) == (2, 2)
    assert (figures["exact_match"], figures["exact_match_low"], figures["exact_match_high"]) == (0.75, 0.5, 1.0)
    assert figures["exact_match_greedy"] == 0.5
    assert figures["sft_exact_match"] == 0.25
    assert figures["sft_exact_match_greedy"] == 0


def test_nats_a_token_weigh_pieces_by_their_tokens(rows):
    rows += [{"kind": "text", "n_tokens": 10, "policy_nats": 22.0, "sft_nats": 20.0}]
    rows += [{"kind": "text", "n_tokens": 30, "policy_nats": 38.0, "sft_nats": 30.0}]
    figures = evaluation_figures(rows, n_bootstrap=200)
    assert (figures["text_nats"], figures["sft_text_nats"]) == (1.5, 1.25)
    assert figures["forgotten_nats"] == 0.25
    assert (figures["forgotten_nats_low"], figures["forgotten_nats_high"]) == pytest.approx((2 / 10, 8 / 30))


def test_the_curve_of_snapshots_is_among_the_figures(rows):
    for step, kl, reward, score in ((0, 0.0, 0.0, 1.0), (5, 1.0, 0.5, 2.0), (10, 4.0, 1.0, 0.0)):
        rows += [
            {"kind": "snapshot", "step": step, "score": score, "reward": reward, "log_ratio": kl} for _ in range(3)
        ]
    figures = evaluation_figures(rows, n_bootstrap=100)
    assert [(point["step"], point["kl_nats"], point["judge"]) for point in figures["snapshots"]] == [
        (0, 0, 1), (5, 1, 2), (10, 4, 0),
    ]  # fmt: skip
    assert (figures["parting_step"], figures["parting_seen_step"]) == (5, 10)
    assert "warning_step" not in figures  # two snapshots are too few to fit a curve to


def test_without_a_previous_policy_the_sft_policy_is_the_previous_one(rows):
    for row in rows:
        del row["previous"]
    figures = evaluation_figures(rows, n_bootstrap=100)
    assert figures["win_rate_previous"] == figures["win_rate"]


def test_the_file_alone_gives_the_same_figures(rows, tmp_path, capsys):
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert recompute.main([str(path), "300"]) == 0
    assert json.loads(capsys.readouterr().out) == evaluation_figures(rows, n_bootstrap=300)
