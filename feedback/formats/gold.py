"""The shape in which known answers come: a prompt, answers, their ranks, and what is to be learned from them."""

import dataclasses
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from feedback.domain.errors import Invalid, UploadRefused
from feedback.domain.gold import known_ranks_check, purpose_check, tolerance_check
from feedback.domain.messages import Message, check_messages, check_text
from feedback.domain.protocol import MAX_ANSWERS
from feedback.domain.ranking import Rank
from feedback.domain.states import TaskPurpose
from feedback.formats.reading import read_rows

MAX_KNOWN = 10_000
"""Nobody judges more hidden tasks, and each draw looks at all that are left."""
MAX_EXPLANATION_LENGTH = 10_000
FIELDS = ("prompt", "answers", "ranks", "tolerance", "explanation", "purpose")


@dataclasses.dataclass(frozen=True)
class GoldRow:
    line: int
    messages: list[Message]
    answers: list[str]
    """Distinct."""
    ranks: list[Rank]
    """Of `answers`, in normal form."""
    tolerance: float
    explanation: str
    purpose: TaskPurpose


def read_golds(file: BinaryIO, filename: str) -> Iterator[GoldRow]:
    """Yield the known answers of a file. Raises: UploadRefused."""
    for number, (line, value) in enumerate(read_rows(file, filename)):
        if number >= MAX_KNOWN:
            raise UploadRefused(
                _("There are more than %(max)s known answers; nobody needs as many.") % {"max": f"{MAX_KNOWN:,}"}, line
            )
        try:
            yield _gold_of(line, value)
        except UploadRefused:
            raise
        except Invalid as error:
            raise UploadRefused(error.message, line) from error


def _gold_of(line: int, row: Any) -> GoldRow:
    if not isinstance(row, dict) or not {"prompt", "answers", "ranks"} <= set(row):
        raise Invalid(_("expected an object with prompt, answers and ranks."))
    if unknown := sorted(set(row) - set(FIELDS)):
        raise Invalid(
            _("there is no field %(names)s; choose from %(known)s.")
            % {"names": ", ".join(unknown)[:200], "known": ", ".join(FIELDS)}
        )
    answers = _answers_of(row["answers"])
    if not isinstance(row["ranks"], list):
        raise Invalid(_("ranks must be a list with a rank for each answer; 1 is the best."))
    return GoldRow(
        line=line,
        messages=_messages_of(row["prompt"]),
        answers=answers,
        ranks=known_ranks_check(row["ranks"], len(answers)),
        tolerance=tolerance_check(row.get("tolerance", 0)),
        explanation=explanation_check(row.get("explanation", "")),
        purpose=purpose_check(row.get("purpose", TaskPurpose.GOLD)),
    )


def explanation_check(explanation: object) -> str:
    """Return an explanation that can be stored. Raises: Invalid."""
    return check_text(explanation, _("The explanation"), max_length=MAX_EXPLANATION_LENGTH, empty=True)


def _messages_of(prompt: Any) -> list[Message]:
    if isinstance(prompt, list):
        return check_messages(prompt, "prompt")
    return [{"role": "user", "content": check_text(prompt, "prompt")}]


def _answers_of(value: Any) -> list[str]:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_ANSWERS:
        raise Invalid(_("answers must be a list of 2 to %(max)d texts.") % {"max": MAX_ANSWERS})
    answers = [check_text(answer, _("an answer"), empty=True) for answer in value]
    if len(set(answers)) < len(answers):
        raise Invalid(_("two of the answers are the same text."))
    return answers
