import numpy as np
import pytest

from feedback.quality import leaderboard
from feedback.quality.comparisons import Comparisons, comparisons_of
from feedback.quality.leaderboard import bradley_terry, design_effect, source_pairs
from feedback.quality.planning import comparisons_for, more_comparisons, plan
from tests.feedback.quality.crowds import rows_of, tasks_of, votes_of


def compared(rows, sources=None):
    votes = votes_of(rows)
    tasks = tasks_of(votes, sources=sources)
    pairs, task_J, _ = rows_of(votes)
    return comparisons_of(pairs, tasks.sources, tasks.prompt, task_J)


def board(found, seed=0):
    return leaderboard.leaderboard(found, np.random.default_rng(seed))


def test_two_sources_differ_by_the_log_of_their_odds():
    wins = np.array([[0, 30.0], [10, 0]])
    first, second = bradley_terry(wins)
    assert first - second == pytest.approx(np.log(30.25 / 10.25))  # half a tie is added to each two
    assert first + second == pytest.approx(0)


def test_scores_fit_the_wins_of_three_sources():
    # With scores log 4, log 2, log 1, sources meet 60 times each: 40 to 20, 48 to 12, 40 to 20.
    wins = 100 * np.array([[0, 40.0, 48], [20, 0, 40], [12, 20, 0]])
    scores = bradley_terry(wins)
    assert scores - scores[2] == pytest.approx(np.log([4, 2, 1]), abs=0.005)


def test_a_source_that_never_lost_has_a_finite_score():
    assert np.isfinite(bradley_terry(np.array([[0, 20.0], [0, 0]]))).all()


def test_every_pair_of_answers_of_two_sources_is_a_comparison():
    sources = ((("a",), ("b",), ("a",)),)
    found = compared([(0, 1, (1, 2, 3)), (0, 2, (1, 1, 3))], sources)
    # a beats b, b beats a; then a tie and b beats a.
    assert (found.n.tolist(), found.wins.tolist(), found.ties.tolist()) == ([4], [1.5], [1])


def test_a_text_of_two_sources_is_their_tie_and_meets_the_others_twice():
    sources = ((("a", "b"), ("c",)),)
    found = compared([(0, 1, (1, 2)), (0, 2, (1, 2))], sources)
    rows = list(zip(found.one.tolist(), found.two.tolist(), found.n.tolist(), found.wins.tolist(), strict=True))
    assert rows == [(0, 1, 2, 1), (0, 2, 2, 2), (1, 2, 2, 2)]
    assert found.ties.tolist() == [2, 0, 0]


def test_the_best_source_comes_first_and_its_interval_is_narrower_with_more_prompts():
    rows = [(task, 1, (1, 2) if task % 4 else (2, 1)) for task in range(400)]
    few, many = board(compared(rows[:40])), board(compared(rows))
    assert [one.source for one in many] == ["s0", "s1"]
    assert many[0].win_rate.value == pytest.approx(0.75)
    assert many[0].rating.high - many[0].rating.low < few[0].rating.high - few[0].rating.low


def test_a_source_without_comparisons_has_no_figures():
    first, second, alone = board(compared([(0, 1, (1, 2)), (1, 1, (1, 2))], ((("a",), ("b",)), (("c",), ("c",)))))
    assert (first.source, second.source, alone.source, alone.rating.value, alone.win_rate.value) == (
        "a",
        "b",
        "c",
        None,
        None,
    )


def test_judgments_of_one_prompt_are_worth_less_than_independent_ones():
    generator = np.random.default_rng(0)
    rows = [
        (task, person, (1, 2) if first else (2, 1))
        for task, first in enumerate(generator.random(200) < 0.6)
        for person in range(3)
    ]
    assert design_effect(compared(rows)) == pytest.approx(3, rel=0.05)


def test_how_many_more_comparisons_tell_two_sources_apart():
    rows = [(task, 1, (1, 2) if task % 20 < 11 else (2, 1)) for task in range(100)]
    (pair,) = source_pairs(compared(rows))
    assert (pair.first, pair.second, pair.win_rate.value) == ("s0", "s1", pytest.approx(0.55))
    # (1.96 / 0.1)^2 = 384 independent ones, of which 100 are there; a little more for the estimated spread.
    assert pair.more_labels == pytest.approx(384 - 100, abs=25)


def test_sources_that_differ_already_need_no_more():
    (pair,) = source_pairs(compared([(task, 1, (1, 2)) for task in range(50)]))
    assert pair.more_labels == 0


def test_equal_sources_never_differ():
    (pair,) = source_pairs(compared([(task, 1, (1, 2) if task % 2 else (2, 1)) for task in range(50)]))
    assert pair.more_labels is None
    assert more_comparisons(pair.win_rate, 0.0) is None


def test_a_wished_half_width_costs_comparisons_judgments_and_hours():
    assert comparisons_for(0.05, 1.0) == 381  # 1.96^2 / (4 * 0.05^2) - 1.96^2
    rows = plan(design_effect=2.0, comparisons_per_judgment=4.0, seconds=36.0, half_widths=(0.05,))
    assert (rows[0].n_comparisons, rows[0].n_judgments, rows[0].hours) == (761, 191, pytest.approx(1.91))


def test_without_times_the_plan_knows_no_hours():
    (row,) = plan(design_effect=1.0, comparisons_per_judgment=1.0, seconds=None, half_widths=(0.1,))
    assert row.hours is None


def duel(generator, n_prompts, scores, tie):
    """Make one comparison of every two sources on each prompt, whose own taste moves the odds."""
    size = len(scores)
    one, two = np.triu_indices(size, 1)
    taste = 0.8 * generator.standard_normal((n_prompts, size))
    odds = (scores + taste)[:, one] - (scores + taste)[:, two]
    win = generator.random(odds.shape) < 1 / (1 + np.exp(-odds))
    is_tie = generator.random(odds.shape) < tie
    prompt = np.repeat(np.arange(n_prompts)[:, None], len(one), 1)
    order = np.argsort(np.broadcast_to(one * size + two, odds.shape).ravel(), kind="stable")
    score = np.where(is_tie, 0.5, win)
    return Comparisons(
        tuple("abc"[:size]), np.broadcast_to(one, odds.shape).ravel()[order],
        np.broadcast_to(two, odds.shape).ravel()[order], prompt.ravel()[order], np.ones(odds.size),
        score.ravel()[order].astype(float), is_tie.ravel()[order].astype(float),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)  # 200,000 fits: 80 seconds alone, minutes on a busy machine
def test_intervals_of_scores_and_win_rates_cover_what_many_prompts_give(monkeypatch):
    monkeypatch.setattr(leaderboard, "N_BOOTSTRAPS", 200)  # half the draws, for the clock
    scores = np.array([0.0, 0.5, 1.0])
    truth = {one.source: one for one in board(duel(np.random.default_rng(0), 400_000, scores, 0.2))}
    inside = {"rating": 0, "win_rate": 0}
    for seed in range(1000):
        for one in board(duel(np.random.default_rng(seed + 1), 150, scores, 0.2), seed)[:1]:
            for name in inside:
                estimate = getattr(one, name)
                inside[name] += estimate.low <= getattr(truth[one.source], name).value <= estimate.high
    assert inside["rating"] / 1000 == pytest.approx(0.95, abs=0.02)
    assert inside["win_rate"] / 1000 == pytest.approx(0.95, abs=0.02)
