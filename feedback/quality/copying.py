"""Who hands in what somebody else said of the same task.

A share c of a person's judgments is taken from another judgment of the task, any of them with the same chance; the rest
is the person's own work, whose likelihood the others' view of each pair gives. c is fitted by expectation-maximisation
of this mixture, one term a judgment, and copying must explain more than working alone does. Asked against judgments
that came before (what a copyist sees), against all of the task (people who collude), and person by person.
Good annotators agree often, but where two others agree they sometimes dissent; a copyist never does.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from feedback.quality.couples import Couples
from feedback.quality.pairs import Pairs
from feedback.quality.reliability import HIGHEST, Reliability, hit_and_miss, reliability_fit
from feedback.quality.sums import sum_by

COPIED = 0.5
"""Share of judgments: less is not a habit, and an able person among weak ones comes near 0.3."""
COPIED_FRIEND = 0.85
"""The same of one certain person. People of one taste say the same more often than others do, but not always."""
DOUBT = 3.0
"""Gained log-likelihood: odds of 20 to 1. Simulated copyists gain 5 and more in 50 tasks with two answers, and 50 with
four; one honest person in a hundred passes it, and at 4 more copyists of two answers get away."""
SHARED = 15
"""Tasks that two people must share before they are compared with each other alone."""
STEPS = 60
"""Of the fit of c: from one half it is settled to two digits."""
ROUNDS = 6
"""Each finds the clearest cases, and the next looks without them: a copyist makes those look bad who are copied."""

Floats = NDArray[np.float64]


def own_likelihood(pairs: Pairs, model: Reliability, n_judgments: int) -> Floats:
    """Return (J,) probability of each judgment if its person worked alone, its pairs taken as independent."""
    view = model.others_view(pairs)
    right = np.clip(model.right, 0.5, HIGHEST)[pairs.annotator]
    named = pairs.label != 0
    hit, miss = hit_and_miss(pairs, view)
    likelihood = model.tie_of_win * (1 - view[:, 2]) + model.tie_of_tie * view[:, 2]
    likelihood[named] = (1 - model.tie_of_win) * (right[named] * hit + (1 - right[named]) * miss)
    likelihood[named] += (1 - model.tie_of_tie) / 2 * view[named, 2]
    return np.exp(sum_by(pairs.judgment, np.log(likelihood), n_judgments))


def copied_share(copy_N: Floats, own_N: Floats, group_N: NDArray[np.int64], n_groups: int) -> tuple[Floats, Floats]:
    """Return (G,) share of copied rows and (G,) log-likelihood gained by it, from each row's two likelihoods."""
    n = np.maximum(1, np.bincount(group_N, minlength=n_groups))
    share = np.full(n_groups, 0.5)
    for _ in range(STEPS):
        each = share[group_N]
        share = sum_by(group_N, each * copy_N / (each * copy_N + (1 - each) * own_N + 1e-300), n_groups) / n
    each = np.minimum(share, 0.99)[group_N]
    gain = np.log((each * copy_N + (1 - each) * own_N + 1e-300) / (own_N + 1e-300))
    return share, sum_by(group_N, gain, n_groups)


@dataclasses.dataclass(frozen=True)
class _Evidence:
    """One way to look at couples: whose judgment (`who`) equals (`same`) which other one."""

    who: NDArray[np.int32]
    other: NDArray[np.int32]
    same: NDArray[np.bool_]

    def of(self, rows: NDArray[np.bool_]) -> "_Evidence":
        return _Evidence(self.who[rows], self.other[rows], self.same[rows])

    def gains(self, own_J: Floats, annotator_J: NDArray[np.int64], n_annotators: int) -> Floats:
        """Return (A,) log-likelihood gained by copying from anybody; 0 for who is not suspected."""
        company = np.bincount(self.who, minlength=len(own_J))
        rows = company > 0
        copy = sum_by(self.who, self.same, len(own_J))[rows] / company[rows]
        share, gain = copied_share(copy, own_J[rows], annotator_J[rows], n_annotators)
        return np.where((share > COPIED) & (gain > DOUBT), gain, 0.0)


def copyists_find(
    pairs: Pairs,
    couples: Couples,
    annotator_J: NDArray[np.int64],
    counted_J: NDArray[np.bool_],
    enough: NDArray[np.bool_],
) -> dict[int, int]:
    """Return whom each copyist copies most, as rows of the annotators; only people with `enough` (A,) judgments."""
    n = pairs.n_annotators
    before = _Evidence(couples.later, couples.earlier, couples.same)
    around = _Evidence(
        np.concatenate([couples.later, couples.earlier]),
        np.concatenate([couples.earlier, couples.later]),
        np.concatenate([couples.same, couples.same]),
    )
    found = enough & friends_copying(before.who, before.other, before.same, annotator_J, counted_J, n)
    for _ in range(ROUNDS):
        own_J = own_likelihood(pairs, reliability_fit(pairs, ~found), len(annotator_J))
        gains = [
            evidence.of(~found[annotator_J[evidence.other]]).gains(own_J, annotator_J, n)
            for evidence in (before, around)
        ]
        gain = np.maximum(*gains) * (enough & ~found)
        if not gain.any():
            break
        found |= (gain > 0) & (gain >= gain.max() / 2)
    return _victims(before, found, annotator_J)


def friends_copying(
    who: NDArray[np.int32],
    other: NDArray[np.int32],
    same: NDArray[np.bool_],
    annotator_J: NDArray[np.int64],
    counted_J: NDArray[np.bool_],
    n: int,
) -> NDArray[np.bool_]:
    """Return (A,) who copies one certain person: of two who say the same too often, the one who mostly came later.

    With q_a and q_b how often each says the same as all others but this one, and q the same of everybody, two who work
    alone say the same in q_a q_b / q of their tasks. The model of reliability cannot ask this: two who always agree
    look infallible to it.
    """
    one, two = annotator_J[who], annotator_J[other]
    couple, row = np.unique(np.minimum(one, two) * n + np.maximum(one, two), return_inverse=True)
    low, high, size = couple // n, couple % n, len(couple)
    counted = counted_J[who] & counted_J[other]
    met, equal = sum_by(row, counted, size), sum_by(row, counted & same, size)
    met_A = sum_by(low, met, n) + sum_by(high, met, n)
    equal_A = sum_by(low, equal, n) + sum_by(high, equal, n)
    usual = equal.sum() / max(1.0, met.sum())
    rates = [(equal_A[side] - equal) / np.maximum(met_A[side] - met, 1) for side in (low, high)]
    alone = np.clip(rates[0] * rates[1] / max(usual, 0.01), 0.01, 0.99)[row]
    shared = np.bincount(row, minlength=size)
    asked = (shared >= SHARED) & (np.minimum(met_A[low], met_A[high]) - met >= SHARED)
    share, gain = copied_share(same.astype(np.float64), np.where(same, alone, 1 - alone), row, size)
    suspicious = asked & (share > COPIED_FRIEND) & (gain > DOUBT + np.log(max(1, asked.sum())))
    low_is_later = sum_by(row, one < two, size) > shared / 2
    return np.bincount(np.where(low_is_later, low, high)[suspicious], minlength=n) > 0


def _victims(before: _Evidence, found: NDArray[np.bool_], annotator_J: NDArray[np.int64]) -> dict[int, int]:
    """Return for each copyist the person whose judgments equal theirs most often, earlier ones where there are some."""
    victims = {}
    for copyist in np.flatnonzero(found).tolist():
        later = before.same & (annotator_J[before.who] == copyist)
        earlier = before.same & (annotator_J[before.other] == copyist)
        equals = annotator_J[before.other[later]] if later.any() else annotator_J[before.who[earlier]]
        if len(equals):
            victims[copyist] = int(np.bincount(equals).argmax())
    return victims
