"""Rankings with ties and gaps: their check, their normal form, and the pairs they imply."""

import dataclasses
import string
from collections.abc import Collection, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from feedback.domain.errors import RankError

LETTERS = string.ascii_uppercase
"""Answers are shown under letters; a task has at most 9."""

Rank = int | None
"""1 is the best, equal ranks are ties; None is no rank."""


@dataclasses.dataclass(frozen=True)
class Pairs:
    """What a ranking says about every two answers, as item numbers in ascending order."""

    won: tuple[tuple[int, int], ...]
    """(better, worse)"""
    tied: tuple[tuple[int, int], ...]


def validate_ranks(ranks: Sequence[Rank], n_items: int) -> list[Rank]:
    """Return the ranks in normal form: each is 1 + the number of better answers, so [1, 1, 2] becomes [1, 1, 3].

    Takes dense (1, 1, 2) and competition ranks (1, 1, 3); what has no rank keeps none. Raises: RankError.
    """
    if len(ranks) != n_items:
        raise RankError(
            ngettext(
                "Rank all %(n)d answers; %(given)d rank was given.",
                "Rank all %(n)d answers; %(given)d ranks were given.",
                len(ranks),
            )
            % {"n": n_items, "given": len(ranks)}
        )
    given = [rank for rank in ranks if rank is not None]
    if any(isinstance(rank, bool) or not isinstance(rank, int) for rank in given):
        raise RankError(_("Every rank must be a whole number; 1 is the best."))
    normal = [1 + sum(other < rank for other in given) for rank in given]
    dense = [1 + len({other for other in given if other < rank}) for rank in given]
    if given not in (normal, dense):
        raise RankError(
            _("Ranks start at 1, and only equal answers share one: 1, 2, 2, 3 or 1, 2, 2, 4, not 2, 3, 3, 5.")
        )
    places = iter(normal)
    return [None if rank is None else next(places) for rank in ranks]


def pairs_from_ranks(ranks: Sequence[Rank], cannot_judge: Collection[int] = ()) -> Pairs:
    """Return every two answers that the ranks order or tie; n ranked answers make n (n - 1) / 2.

    An answer without a rank is worse than all that have one and undecided against the others without; one in
    `cannot_judge` makes no pair at all.
    """
    judged = [item for item in range(len(ranks)) if item not in cannot_judge]
    won, tied = [], []
    for place, first in enumerate(judged):
        for second in judged[place + 1 :]:
            left, right = ranks[first], ranks[second]
            if left is None and right is None:
                continue
            if left == right:
                tied.append((first, second))
            elif right is None or (left is not None and left < right):
                won.append((first, second))
            else:
                won.append((second, first))
    return Pairs(tuple(won), tuple(tied))


def letter_position(letter: str, n_items: int) -> int:
    """Return the position that is shown under a letter. Raises: RankError."""
    expected = LETTERS[:n_items]
    if len(letter) != 1 or letter not in expected:
        raise RankError(
            _("%(letter)r is none of the shown letters: %(letters)s.")
            % {"letter": letter[:20], "letters": ", ".join(expected) or _("there are none")}
        )
    return expected.index(letter)


def ranks_by_letter(ranks: dict[str, Rank], n_items: int) -> list[Rank]:
    """Return ranks by shown position from {"A": 1, "B": 2}. Raises: RankError."""
    expected = list(LETTERS[:n_items])
    if sorted(ranks) != expected:
        raise RankError(
            _("Give a rank to each of the letters %(letters)s and to no other.") % {"letters": ", ".join(expected)}
        )
    return [ranks[letter] for letter in expected]
