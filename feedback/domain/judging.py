"""Whether a verdict answers what its protocol asks, and its two orders: as it was shown, and by item as it is stored.

The stored form is the one that every reader of judgments knows; it says nothing about what stood under which letter.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from feedback.domain.errors import Invalid, RankError
from feedback.domain.messages import MAX_TEXT_LENGTH, check_text
from feedback.domain.protocol import Editing, Flag, ProtocolKind, ProtocolOptions, Strength
from feedback.domain.ranking import LETTERS, Rank, validate_ranks
from feedback.domain.verdict import Verdict

COMPARED = {ProtocolKind.PAIRWISE, ProtocolKind.LIVE}
"""Kinds that ask for the better one of two and by how much."""

Score = int | None


@dataclasses.dataclass(frozen=True)
class StoredVerdict:
    """The fields of a judgment that say what was judged, by item number; each as JSON stores it."""

    ranks: list[Rank]
    cannot_judge: list[int]
    all_bad: bool
    strength: int | None
    ratings: dict[str, list[Score]]
    flags: list[dict[str, Any]]
    edited_item: int | None
    edited_answer: str

    def to_fields(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def verdict_check(verdict: Verdict, *, kind: ProtocolKind, options: ProtocolOptions, n_answers: int) -> Verdict:
    """Return the verdict in normal form: ranks as 1 + the number of better answers, flags in order.

    Raises: RankError for ranks that are none, Invalid for whatever else the protocol does not ask for or misses.
    """
    if n_answers == 0:
        return _check_written(verdict)
    cannot_judge = _check_positions(verdict.cannot_judge, n_answers)
    if len(cannot_judge) == n_answers:
        raise Invalid(_("You could judge none of the answers. Skip the task and say why."))
    verdict = dataclasses.replace(verdict, cannot_judge=cannot_judge)
    return dataclasses.replace(
        verdict,
        ranks=_check_ranks(verdict, kind, options, n_answers),
        strength=_check_strength(verdict, kind),
        ratings=_check_ratings(verdict, options, n_answers),
        flags=_check_flags(verdict.flags, n_answers),
        **_check_edited(verdict, options, n_answers),
    )


def verdict_by_item(verdict: Verdict, order: Sequence[int]) -> StoredVerdict:
    """Return a checked verdict as it is stored, where `order[0]` is the item that was shown under letter A."""
    ratings = {key: _by_item(scores, order) for key, scores in verdict.ratings.items()}
    flags = sorted((order[position], name) for position, name in verdict.flags)
    return StoredVerdict(
        ranks=_by_item(verdict.ranks, order),
        cannot_judge=sorted(order[position] for position in verdict.cannot_judge),
        all_bad=verdict.all_bad,
        strength=verdict.strength,
        ratings=ratings,
        flags=[{"item": item, "flag": name} for item, name in flags],
        edited_item=None if verdict.edited_position is None else order[verdict.edited_position],
        edited_answer=verdict.edited_answer,
    )


def verdict_as_shown(stored: StoredVerdict, order: Sequence[int]) -> Verdict:
    """Return a stored verdict as the person gave it, by shown position."""
    shown = {item: position for position, item in enumerate(order)}
    flags = sorted((shown[flag["item"]], flag["flag"]) for flag in stored.flags)
    return Verdict(
        ranks=tuple(stored.ranks[item] for item in order),
        cannot_judge=tuple(sorted(shown[item] for item in stored.cannot_judge)),
        all_bad=stored.all_bad,
        strength=stored.strength,
        ratings={key: tuple(scores[item] for item in order) for key, scores in stored.ratings.items()},
        flags=tuple(flags),
        edited_position=None if stored.edited_item is None else shown[stored.edited_item],
        edited_answer=stored.edited_answer,
    )


def _by_item(values: Sequence[Any], order: Sequence[int]) -> list[Any]:
    by_item = dict(zip(order, values, strict=True))
    return [by_item[item] for item in range(len(order))]


def _check_written(verdict: Verdict) -> Verdict:
    text = _check_text(verdict.edited_answer)
    if not text:
        raise Invalid(_("Write the answer first."))
    if verdict != Verdict(edited_answer=verdict.edited_answer):
        raise Invalid(_("No answers were shown with this task, so only an answer can be written."))
    return Verdict(edited_answer=text)


def _check_ranks(verdict: Verdict, kind: ProtocolKind, options: ProtocolOptions, n_answers: int) -> tuple[Rank, ...]:
    none: tuple[Rank, ...] = (None,) * n_answers
    given = tuple(verdict.ranks) or none
    if len(given) == n_answers and all(rank is None for rank in given) and _may_be_unranked(verdict, kind):
        return none
    if kind == ProtocolKind.RATE:
        raise RankError(_("This task asks for ratings, not for an order."))
    if both := [position for position in verdict.cannot_judge if given[position : position + 1] != (None,)]:
        raise RankError(
            _("%(letters)s cannot be judged and have a rank; take one of the two away.") % {"letters": _letters(both)}
        )
    if kind in COMPARED and n_answers != 2:
        raise Invalid(_("A comparison is of two answers, not of %(n)d.") % {"n": n_answers})
    ranks = validate_ranks(given, n_answers)
    _check_enough(ranks, verdict.cannot_judge, options.top_k)
    return tuple(ranks)


def _may_be_unranked(verdict: Verdict, kind: ProtocolKind) -> bool:
    return kind == ProtocolKind.RATE or verdict.all_bad or (kind in COMPARED and bool(verdict.cannot_judge))


def _check_enough(ranks: Sequence[Rank], cannot_judge: Sequence[int], top_k: int) -> None:
    missing = [place for place, rank in enumerate(ranks) if rank is None and place not in cannot_judge]
    if not missing:
        return
    if not top_k:
        raise RankError(_("Give every answer a rank. Still without one: %(letters)s.") % {"letters": _letters(missing)})
    n_ranked = sum(rank is not None for rank in ranks)
    if n_ranked < top_k:
        raise RankError(_("Give at least the best %(top_k)s answers a rank.") % {"top_k": top_k})


def _check_strength(verdict: Verdict, kind: ProtocolKind) -> int | None:
    strength = verdict.strength
    if kind not in COMPARED:
        if strength is not None:
            raise Invalid(_("Only a comparison of two answers has a strength."))
        return None
    is_ranked = any(rank is not None for rank in verdict.ranks)
    if strength is None and not is_ranked:  # both are bad, or one could not be judged
        return None
    if isinstance(strength, bool) or strength not in Strength.values:
        raise Invalid(_("Say how much better the better answer is."))
    if not is_ranked or (strength == Strength.SAME) != (len(set(verdict.ranks)) == 1):
        raise Invalid(_("strength and ranks contradict each other: 0 is for answers that are about the same."))
    return int(strength)


def _check_ratings(verdict: Verdict, options: ProtocolOptions, n_answers: int) -> Mapping[str, tuple[Score, ...]]:
    known = {dimension.key: dimension for dimension in options.dimensions}
    if unknown := sorted(set(verdict.ratings) - set(known)):
        raise Invalid(_("There is no scale %(names)s in this task.") % {"names": ", ".join(unknown)})
    checked: dict[str, tuple[Score, ...]] = {}
    for key, dimension in known.items():
        scores = tuple(verdict.ratings.get(key, (None,) * n_answers))
        if len(scores) != n_answers:
            raise Invalid(
                ngettext(
                    "Rate all %(n)d answers on %(name)s; %(given)d rating was given.",
                    "Rate all %(n)d answers on %(name)s; %(given)d ratings were given.",
                    len(scores),
                )
                % {"n": n_answers, "name": dimension.name, "given": len(scores)}
            )
        _check_scores(scores, verdict.cannot_judge, dimension.name, dimension.points)
        checked[key] = scores
    return checked


def _check_scores(scores: Sequence[Score], cannot_judge: Sequence[int], name: str, points: int) -> None:
    missing = [place for place, score in enumerate(scores) if score is None and place not in cannot_judge]
    if missing:
        raise Invalid(
            _("Rate every answer on “%(name)s”. Still without a rating: %(letters)s.")
            % {"name": name, "letters": _letters(missing)}
        )
    for place, score in enumerate(scores):
        if score is None:
            continue
        if place in cannot_judge:
            raise Invalid(
                _("%(letters)s cannot be judged and have a rating; take one of the two away.")
                % {"letters": LETTERS[place]}
            )
        if isinstance(score, bool) or not isinstance(score, int) or not 1 <= score <= points:
            raise Invalid(
                _("A rating on %(name)s is a whole number from 1 to %(points)d.") % {"name": name, "points": points}
            )


def _check_flags(flags: Sequence[tuple[int, str]], n_answers: int) -> tuple[tuple[int, str], ...]:
    _check_positions([position for position, _name in flags], n_answers)
    if unknown := sorted({str(name) for _position, name in flags} - set(Flag.values)):
        raise Invalid(
            _("There is no flag %(names)s; choose from %(known)s.")
            % {"names": ", ".join(unknown)[:200], "known": ", ".join(Flag.values)}
        )
    return tuple(sorted({(position, str(name)) for position, name in flags}))


def _check_edited(verdict: Verdict, options: ProtocolOptions, n_answers: int) -> dict[str, Any]:
    text = _check_text(verdict.edited_answer)
    position = verdict.edited_position
    if not text:
        if position is not None:
            raise Invalid(_("The improved answer is empty."))
        if options.editing == Editing.MUST:
            raise Invalid(_("Improve the best answer, or write a better one."))
        return {"edited_answer": "", "edited_position": None}
    if options.editing == Editing.NO:
        raise Invalid(_("This task asks for no improved answer."))
    if position is not None:
        _check_positions([position], n_answers)
        if position in verdict.cannot_judge:
            raise Invalid(_("An answer that cannot be judged cannot be improved either."))
    return {"edited_answer": text, "edited_position": position}


def _check_text(text: str) -> str:
    check_text(text, _("The answer"), max_length=MAX_TEXT_LENGTH, empty=True)
    return text if text.strip() else ""


def _check_positions(positions: Sequence[int], n_answers: int) -> tuple[int, ...]:
    if any(isinstance(position, bool) or position not in range(n_answers) for position in positions):
        raise Invalid(
            _("This task has %(n)d answers: %(letters)s.") % {"n": n_answers, "letters": ", ".join(LETTERS[:n_answers])}
        )
    return tuple(sorted(set(positions)))


def _letters(positions: Sequence[int]) -> str:
    return ", ".join(LETTERS[position] for position in positions)
