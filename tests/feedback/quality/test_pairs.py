import itertools

import numpy as np
import pytest

from feedback.domain.ranking import pairs_from_ranks
from feedback.quality.couples import signs_of
from feedback.selectors.votes import ranks_filled
from tests.feedback.quality.crowds import rows_of, votes_of

RANKINGS = [ranks for ranks in itertools.product((1, 2, 3, None), repeat=3) if any(rank is not None for rank in ranks)]


@pytest.mark.parametrize("cannot_judge", [(), (2,)])
def test_arrays_imply_the_pairs_that_the_domain_knows(cannot_judge):
    for ranks in RANKINGS:
        given = tuple(None if item in cannot_judge else rank for item, rank in enumerate(ranks))
        if all(rank is None for rank in given):
            continue
        pairs, _, _ = rows_of(votes_of([(0, 1, ranks_filled(given, cannot_judge))]))
        items = list(zip(pairs.first[pairs.pair].tolist(), pairs.second[pairs.pair].tolist(), strict=True))
        won = {(a, b) if label > 0 else (b, a) for (a, b), label in zip(items, pairs.label, strict=True) if label}
        tied = {two for two, label in zip(items, pairs.label, strict=True) if not label}
        expected = pairs_from_ranks(given, cannot_judge)
        assert (won, tied) == (set(expected.won), set(expected.tied)), given


def test_items_are_shown_before_or_after_each_other():
    pairs, _, _ = rows_of(votes_of([(0, 1, (1, 2, 3))], shown_JK=[[2, 0, -1]]))
    assert pairs.shown.tolist() == [-1, 0, 0]


def test_signs_tell_a_tie_from_a_pair_that_was_not_judged():
    assert signs_of(np.array([[1, 1, np.nan]])).tolist() == [[0, 2, 2]]
