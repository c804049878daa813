"""Which source of answers wins: Bradley-Terry scores and win rates, with intervals over prompts.

Answers to one prompt resemble each other, so prompts are what is drawn. Shapes: S sources, G groups of prompts.
"""

import itertools

import evalica
import numpy as np
from numpy.typing import NDArray

from feedback.domain.quality import NOTHING, Estimate, PairFigures, SourceFigures
from feedback.quality.comparisons import Comparisons
from feedback.quality.intervals import effective_rows, groups_of, wilson
from feedback.quality.planning import more_comparisons

N_BOOTSTRAPS = 400
"""Ten draws lie outside either end of the interval, which moves it by less than a tenth of its width."""
PRIOR_TIES = 0.5
"""Half a tie of each two compared sources: keeps the score of a source that never lost finite."""

Floats = NDArray[np.float64]


def bradley_terry(wins_SS: Floats) -> Floats:
    """Return (S,) scores in logits against their mean; `wins_SS[i, j]` are the wins of i over j, ties half.

    P(i beats j) = 1 / (1 + exp(score_j - score_i)). Sources that were compared with none have the score 0.
    Source: Bradley and Terry 1952, Biometrika 39, fitted by evalica after Newman 2023, JMLR 24, equation 10.
    """
    compared = wins_SS + wins_SS.T > 0
    winner, loser = np.nonzero(compared)
    if not len(winner):
        return np.zeros(len(wins_SS))
    weights = wins_SS[winner, loser] + PRIOR_TIES / 2
    fitted = evalica.bradley_terry(
        winner.tolist(),
        loser.tolist(),
        [evalica.Winner.X] * len(winner),
        weights=weights.tolist(),
        tolerance=1e-6,
        limit=1_000,
    )
    scores = np.zeros(len(wins_SS))
    logits = np.log(fitted.scores.to_numpy())
    scores[fitted.scores.index.to_numpy()] = logits - logits.mean()
    return scores


def leaderboard(found: Comparisons, generator: np.random.Generator) -> tuple[SourceFigures, ...]:
    """Return the sources, the best first."""
    size = len(found.sources)
    if not len(found.n):
        return tuple(SourceFigures(name, NOTHING, NOTHING) for name in found.sources)
    group = groups_of(int(found.prompt.max()) + 1, generator)[found.prompt]
    n_groups = int(group.max()) + 1
    wins_GSS, ties_GSS = np.zeros((n_groups, size, size)), np.zeros((n_groups, size, size))
    for here, there, wins in ((found.one, found.two, found.wins), (found.two, found.one, found.n - found.wins)):
        np.add.at(wins_GSS, (group, here, there), wins)
        np.add.at(ties_GSS, (group, here, there), found.ties)
    scores = bradley_terry(wins_GSS.sum(axis=0))
    draws_BG = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), N_BOOTSTRAPS)
    drawn = np.array([bradley_terry(np.tensordot(draw, wins_GSS, 1)) for draw in draws_BG])
    method = f"Bradley-Terry, bootstrap over prompts, {N_BOOTSTRAPS} draws"
    figures = []
    for source, name in enumerate(found.sources):
        wins, ties = wins_GSS[:, source].sum(axis=1), ties_GSS[:, source].sum(axis=1)
        played = wins + wins_GSS[:, :, source].sum(axis=1)
        rate, _ = win_rate(wins, wins - ties / 4, played)
        rating = NOTHING
        if rate.n:
            low, high = np.quantile(drawn[:, source], (0.025, 0.975))
            rating = Estimate(float(scores[source]), float(low), float(high), rate.n, method)
        figures.append(SourceFigures(name, rating, rate))
    return tuple(sorted(figures, key=lambda one: (one.rating.value is None, -(one.rating.value or 0), one.source)))


def source_pairs(found: Comparisons) -> tuple[PairFigures, ...]:
    """Return every two sources that were compared, with how many more comparisons tell them apart."""
    both = found.one * len(found.sources) + found.two
    starts = np.flatnonzero(np.diff(both, prepend=-1))
    figures = []
    for begin, end in itertools.pairwise([*starts.tolist(), len(both)]):
        rows = slice(begin, end)
        rate, worth = win_rate(found.wins[rows], found.squares[rows], found.n[rows])
        first, second = found.sources[found.one[begin]], found.sources[found.two[begin]]
        figures.append(PairFigures(first, second, rate, more_comparisons(rate, worth)))
    return tuple(figures)


def win_rate(wins_C: Floats, squares_C: Floats, played_C: Floats) -> tuple[Estimate, float]:
    """Return the share of wins by clusters, ties half, and how many independent comparisons it is worth."""
    n = played_C.sum()
    if not n:
        return NOTHING, 0.0
    worth = effective_rows(wins_C, played_C, np.zeros(len(wins_C), np.int64), 1, squares_C)
    share = wins_C.sum() / n
    low, high = wilson(np.array([share]), worth)
    method = "share of wins, ties half, Wilson, clustered by prompt"
    return Estimate(float(share), float(low[0]), float(high[0]), round(n), method), float(worth[0])


def design_effect(found: Comparisons) -> float:
    """Return how many comparisons of two sources are worth one independent one."""
    both = found.one * len(found.sources) + found.two
    _, pair = np.unique(both, return_inverse=True)
    worth = effective_rows(found.wins, found.n, pair, int(pair.max(initial=-1)) + 1, found.squares)
    return max(1.0, float(found.n.sum() / worth.sum()))
