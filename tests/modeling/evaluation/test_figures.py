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
