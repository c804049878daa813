"""Whether a ranking agrees with a known answer. Knows nothing of who judged, or of what the answers say."""

import dataclasses
from collections.abc import Collection, Sequence

from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid, RankError
from feedback.domain.protocol import ProtocolKind
from feedback.domain.ranking import Rank, pairs_from_ranks, validate_ranks
from feedback.domain.states import KNOWN, TaskPurpose

ORDERED = (ProtocolKind.RANK, ProtocolKind.PAIRWISE)
"""Kinds that ask for an order of the answers, which a known one can be compared with."""
EVERYBODY = 30_000
"""Overlap of a task with a known answer: everybody gets it once. A small integer of the database holds 32,767."""


@dataclasses.dataclass(frozen=True)
class Mark:
    """A ranking next to the known one."""

    n_wrong: int
    n_pairs: int
    """Pairs with a known winner that were asked for."""
    is_right: bool


def ranking_mark(
    *, known: Sequence[Rank], given: Sequence[Rank], cannot_judge: Collection[int] = (), tolerance: float = 0.0
) -> Mark:
    """Return how many pairs with a known winner are not so in `given`; right when their share is at most `tolerance`.

    A known tie may be judged either way. Two answers without a rank were not asked about (only the best were), but one
    that could not be judged is no winner. Where nothing was ordered, nothing is right.
    """
    won = set(pairs_from_ranks(given, cannot_judge).won)
    asked = [
        (better, worse)
        for better, worse in pairs_from_ranks(known).won
        if given[better] is not None or given[worse] is not None or {better, worse} & set(cannot_judge)
    ]
    n_wrong = sum(pair not in won for pair in asked)
    is_ordered = any(rank is not None for rank in given)
    # A share and not a product: 3 / 10 is the same float as the 0.3 that somebody typed.
    share = n_wrong / len(asked) if asked else 0.0
    return Mark(n_wrong, len(asked), is_ordered and share <= tolerance)


def known_ranks_check(ranks: Sequence[Rank], n_answers: int) -> list[Rank]:
    """Return known ranks in normal form; at least one answer must be better than another. Raises: RankError."""
    normal = validate_ranks(ranks, n_answers)
    if not pairs_from_ranks(normal).won:
        raise RankError(_("In a known answer at least one answer is better than another."))
    return normal


def tolerance_check(tolerance: object) -> float:
    """Return a share from 0 to 1. Raises: Invalid."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance <= 1:
        raise Invalid(_("The tolerance is a share from 0 to 1."))
    return float(tolerance)


def purpose_check(purpose: object) -> TaskPurpose:
    """Return a purpose of tasks with a known answer. Raises: Invalid."""
    if purpose not in KNOWN:
        raise Invalid(_("purpose must be one of %(known)s.") % {"known": ", ".join(KNOWN)})
    return TaskPurpose(str(purpose))
