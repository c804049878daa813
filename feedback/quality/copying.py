"""Who hands in what somebody else said of the same task.

A share c of a person's judgments is taken from another judgment of the task, any of them with the same chance; the rest
is the person's own work, whose likelihood the others' view of each pair gives. c is fitted by expectation-maximisation
of this mixture, one term a judgment, and copying must explain more than working alone does. Asked three times: against
judgments that came before (what a copyist sees), against all of the task (two who collude), and person by person (a
friend's answers). Good annotators agree often, but where two others agree they sometimes dissent; a copyist never does.
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
DOUBT = 3.0
"""Gained log-likelihood: odds of 20 to 1. Higher misses people who judged two answers 50 times; simulated honest people
pass it in less than 2% of the cases, nearly all of them with K = 2."""
SHARED = 15
"""Tasks that two people must share before they are compared with each other alone."""
STEPS = 60
"""Of the fit of c: from one half it is settled to two digits."""
ROUNDS = 3
"""Each leaves out the copyists found before, so that nobody is blamed for having been copied."""

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

    def suspects(self, own_J: Floats, annotator_J: NDArray[np.int64], n_annotators: int) -> NDArray[np.bool_]:
        company = np.bincount(self.who, minlength=len(own_J))
        rows = company > 0
        copy = sum_by(self.who, self.same, len(own_J))[rows] / company[rows]
        share, gain = copied_share(copy, own_J[rows], annotator_J[rows], n_annotators)
        return (share > COPIED) & (gain > DOUBT)

    def suspected_friends(self, own_J: Floats, annotator_J: NDArray[np.int64], n_annotators: int) -> NDArray[np.bool_]:
        """Return (A,) who took from one certain person; the one who came later more often is the suspect."""
        one, two = annotator_J[self.who], annotator_J[self.other]
        couple, row = np.unique(np.minimum(one, two) * n_annotators + np.maximum(one, two), return_inverse=True)
        shared = np.bincount(row, minlength=len(couple))
        share, gain = copied_share(self.same.astype(np.float64), own_J[self.who], row, len(couple))
        many = max(1, int((shared >= SHARED).sum()))
        found = (shared >= SHARED) & (share > COPIED) & (gain > DOUBT + np.log(many))
        low_is_later = sum_by(row, one < two, len(couple)) > shared / 2
        suspect = np.where(low_is_later, couple // n_annotators, couple % n_annotators)[found]
        return np.bincount(suspect, minlength=n_annotators) > 0


def copyists_find(
    pairs: Pairs, couples: Couples, annotator_J: NDArray[np.int64], enough: NDArray[np.bool_]
) -> dict[int, int]:
    """Return whom each copyist copies most, as rows of the annotators; only people with `enough` (A,) judgments."""
    n = pairs.n_annotators
    before = _Evidence(couples.later, couples.earlier, couples.same)
    around = _Evidence(
        np.concatenate([couples.later, couples.earlier]),
        np.concatenate([couples.earlier, couples.later]),
        np.concatenate([couples.same, couples.same]),
    )
    found = np.zeros(n, np.bool_)
    for _ in range(ROUNDS):
        own_J = own_likelihood(pairs, reliability_fit(pairs, ~found), len(annotator_J))
        seen = before.of(~found[annotator_J[before.other]])
        suspects = seen.suspects(own_J, annotator_J, n)
        suspects |= seen.of(~found[annotator_J[seen.who]]).suspected_friends(own_J, annotator_J, n)
        beside = around.of(~(found | suspects)[annotator_J[around.other]])
        suspects |= beside.suspects(own_J, annotator_J, n)
        suspects &= enough & ~found
        if not suspects.any():
            break
        found |= suspects
    return _victims(before, found, annotator_J)


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
