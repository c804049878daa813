"""What a task page shows: letters, texts, and in every field the value that was typed, drafted or judged before.

Knows the names of the form's fields, but not what they mean: that is `task_form.py`, which reads them.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from feedback.domain.messages import Message
from feedback.domain.protocol import Dimension, Editing, Flag, ProtocolKind, SkipReason
from feedback.domain.ranking import LETTERS
from feedback.domain.verdict import Verdict
from feedback.models import Judgment
from feedback.selectors.assignment import AnswerView, AssignmentView
from feedback.selectors.judgment import judgment_verdict

RECENT_TURNS = 5
"""Turns shown at once; the ones before are a click away, so that the answers are not three screens down."""
STRENGTHS = {
    "A3": gettext_lazy("A much better"),
    "A2": gettext_lazy("A better"),
    "A1": gettext_lazy("A slightly better"),
    "0": gettext_lazy("About the same"),
    "B1": gettext_lazy("B slightly better"),
    "B2": gettext_lazy("B better"),
    "B3": gettext_lazy("B much better"),
}
COMPARING = {ProtocolKind.PAIRWISE, ProtocolKind.LIVE}
"""Kinds whose judgment is a choice between two answers; a turn of a live conversation is corrected as one."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """One dimension beside one answer."""

    dimension: Dimension
    field: str
    value: str

    @property
    def points(self) -> list[str]:
        return [str(point) for point in range(1, self.dimension.points + 1)]


@dataclasses.dataclass(frozen=True)
class AnswerCard:
    letter: str
    text: str
    rank: str
    cannot: bool
    flags: list[str]
    scales: list[Scale]


def task_context(view: AssignmentView, typed: QueryDict | None = None) -> dict[str, Any]:
    """Return what the template needs; `typed` are the form's fields."""
    form = typed or QueryDict()
    answers = [_card(answer, view.options.dimensions, form) for answer in view.answers]
    earlier, recent = _turns(view.messages)
    return {
        "view": view,
        "layout": _layout(view.kind),
        "heading": _heading(view),
        "opt_out_tags": [tag for tag, text in view.options.warnings.items() if text in view.warnings],
        "earlier": earlier,
        "recent": recent,
        "answers": answers,
        "numbers": [str(number) for number in range(1, len(answers) + 1)],
        "top_k": view.options.top_k if view.options.top_k < len(answers) else 0,
        "strengths": [(value, number, label) for number, (value, label) in enumerate(STRENGTHS.items(), start=1)],
        "flags": Flag.choices,
        "skip_reasons": [(value, number, label) for number, (value, label) in enumerate(SkipReason.choices, start=1)],
        "may_edit": view.options.editing != Editing.NO,
        "must_edit": view.options.editing == Editing.MUST,
        "client_key": form.get("client_key") or view.client_key,
        "strength": form.get("strength", ""),
        "all_bad": bool(form.get("all_bad")),
        "edited": form.get("edited", ""),
        "edited_answer": form.get("edited_answer", ""),
        "rationale": form.get("rationale", ""),
        "active_s": form.get("active_s", ""),
        "report_text": form.get("report", ""),
        "skip_note": form.get("skip_note", ""),
        "is_correction": bool(form.get("correction")),
        "is_shown_again": bool(form),
    }


def query_dict(fields: Mapping[str, Sequence[str]]) -> QueryDict:
    """Return stored fields, {"rank_A": ["1"]}, as if a browser had sent them."""
    form = QueryDict(mutable=True)
    for name, values in fields.items():
        form.setlist(name, list(values))
    return form


def judged_fields(judgment: Judgment) -> dict[str, list[str]]:
    """Return a judgment as the fields that a form would send to make it again."""
    return {
        **_verdict_fields(judgment_verdict(judgment=judgment)),
        "correction": ["1"],
        "rationale": [judgment.rationale],
    }


def with_best_text(form: QueryDict, view: AssignmentView) -> QueryDict:
    """Put the text of the chosen answer, or else of the best one, into the field where it is improved."""
    letter = form.get("edited") or _best_letter(form, view)
    filled = form.copy()
    for answer in view.answers:
        if answer.letter == letter:
            filled["edited"] = letter
            filled["edited_answer"] = answer.text
    return filled


def _verdict_fields(verdict: Verdict) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    dense = sorted({rank for rank in verdict.ranks if rank is not None})
    for letter, rank in zip(LETTERS, verdict.ranks, strict=False):
        if rank is not None:
            fields[f"rank_{letter}"] = [str(dense.index(rank) + 1)]
    fields |= {f"cannot_{LETTERS[place]}": ["on"] for place in verdict.cannot_judge}
    if verdict.all_bad:
        fields["all_bad"] = ["on"]
    if verdict.strength is not None:
        better = LETTERS[verdict.ranks.index(1)]
        fields["strength"] = [f"{better}{verdict.strength}" if verdict.strength else "0"]
    for key, scores in verdict.ratings.items():
        rated = zip(LETTERS, scores, strict=False)
        fields |= {f"rating_{key}_{letter}": [str(score)] for letter, score in rated if score is not None}
    for place, name in verdict.flags:
        fields.setdefault(f"flag_{LETTERS[place]}", []).append(name)
    if verdict.edited_answer:
        fields["edited_answer"] = [verdict.edited_answer]
    if verdict.edited_position is not None:
        fields["edited"] = [LETTERS[verdict.edited_position]]
    return fields


def _best_letter(form: QueryDict, view: AssignmentView) -> str:
    if view.kind in COMPARING:
        return form.get("strength", "")[:1].replace("0", "")
    first = [answer.letter for answer in view.answers if form.get(f"rank_{answer.letter}") == "1"]
    return first[0] if len(first) == 1 else ""


def _card(answer: AnswerView, dimensions: Sequence[Dimension], form: QueryDict) -> AnswerCard:
    letter = answer.letter
    fields = {dimension.key: f"rating_{dimension.key}_{letter}" for dimension in dimensions}
    return AnswerCard(
        letter=letter,
        text=answer.text,
        rank=form.get(f"rank_{letter}", ""),
        cannot=bool(form.get(f"cannot_{letter}")),
        flags=form.getlist(f"flag_{letter}"),
        scales=[
            Scale(dimension, fields[dimension.key], form.get(fields[dimension.key], "")) for dimension in dimensions
        ],
    )


def _layout(kind: ProtocolKind) -> str:
    return str(ProtocolKind.PAIRWISE if kind in COMPARING else kind)


def _heading(view: AssignmentView) -> str:
    if view.kind in COMPARING:
        return _("Compare the two answers")
    if view.kind == ProtocolKind.RATE:
        return _("Rate the answers")
    if view.kind == ProtocolKind.WRITE:
        return _("Write the answer")
    return _("Rank the answers")


def _turns(messages: list[Message]) -> tuple[list[Message], list[Message]]:
    """Split a conversation into what is folded away and what is shown: its system message, and the last turns."""
    n_system = 1 if messages and messages[0]["role"] == "system" else 0
    turns = messages[n_system:]
    if len(turns) <= RECENT_TURNS + 1:  # folding a single turn away would only cost a click
        return [], messages
    return turns[:-RECENT_TURNS], [*messages[:n_system], *turns[-RECENT_TURNS:]]
