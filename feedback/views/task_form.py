"""The fields of a task's form, which page, drafts and outbox share, and what they say."""

from django.http import QueryDict
from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid
from feedback.domain.protocol import Dimension
from feedback.domain.ranking import Rank, letter_position
from feedback.domain.verdict import Verdict
from feedback.domain.working_time import DAY_S
from feedback.selectors.assignment import AssignmentView

STRENGTHS = ("A3", "A2", "A1", "0", "B1", "B2", "B3")
"""The better one and by how much, as `strength` has it."""
MAX_DIGITS = 9
"""Of a rank or a rating; what is longer is none."""


def seconds_worked(form: QueryDict) -> float | None:
    """Return the active seconds that a form says, None when it says none or what a clock that jumped would say."""
    try:
        seconds = float(form.get("active_s", ""))
    except ValueError:
        return None
    return seconds if 0 <= seconds < DAY_S else None


def verdict_from_form(form: QueryDict, view: AssignmentView) -> Verdict:
    """Return what a form says about the shown answers, not yet checked against the protocol. Raises: Invalid."""
    letters = [answer.letter for answer in view.answers]
    strength, ranks = _comparison(form, letters)
    edited_position, edited_answer = _edited(form, view)
    return Verdict(
        ranks=ranks,
        cannot_judge=tuple(place for place, letter in enumerate(letters) if form.get(f"cannot_{letter}")),
        all_bad=bool(form.get("all_bad")),
        strength=strength,
        ratings={dimension.key: _scores(form, dimension, letters) for dimension in view.options.dimensions},
        flags=tuple((place, name) for place, letter in enumerate(letters) for name in form.getlist(f"flag_{letter}")),
        edited_position=edited_position,
        edited_answer=edited_answer,
    )


def _comparison(form: QueryDict, letters: list[str]) -> tuple[int | None, tuple[Rank, ...]]:
    ranks = tuple(_number(form.get(f"rank_{letter}")) for letter in letters)
    code = form.get("strength", "")
    if not code:
        return None, ranks if any(rank is not None for rank in ranks) else ()
    if code not in STRENGTHS:
        raise Invalid(_("strength must be one of %(known)s.") % {"known": ", ".join(STRENGTHS)})
    by_code: tuple[Rank, ...] = {"A": (1, 2), "B": (2, 1)}.get(code[0], (1, 1))
    return int(code[-1]), by_code


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def _scores(form: QueryDict, dimension: Dimension, letters: list[str]) -> tuple[int | None, ...]:
    return tuple(_number(form.get(f"rating_{dimension.key}_{letter}")) for letter in letters)


def _edited(form: QueryDict, view: AssignmentView) -> tuple[int | None, str]:
    """Return the place and the text of an improved answer; a text that nobody changed is none."""
    text = form.get("edited_answer", "").replace("\r\n", "\n")  # as browsers send the ends of lines
    letter = form.get("edited", "")
    place = letter_position(letter, len(view.answers)) if letter else None
    if not text.strip():
        return None, ""
    if place is not None and text == view.answers[place].text.replace("\r\n", "\n"):
        return None, ""
    return place, text
