import datetime as dt

import pytest
from django.http import QueryDict

from feedback.domain.errors import Invalid
from feedback.domain.protocol import Dimension, ProtocolKind, ProtocolOptions
from feedback.domain.verdict import Verdict
from feedback.selectors.assignment import AnswerView, AssignmentView
from feedback.views.task_form import verdict_from_form


def view(n_answers=2, **options):
    return AssignmentView(
        assignment_id=1,
        protocol=1,
        kind=ProtocolKind.RANK,
        options=ProtocolOptions(**options),
        guidelines="",
        messages=[],
        warnings=[],
        answers=[AnswerView(letter, f"Text\nof {letter}.") for letter in "ABCDEFGHI"[:n_answers]],
        lease_expires_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        client_key="k",
    )


def test_every_field_of_the_form_is_read():
    form = QueryDict(
        "rank_A=2&rank_B=&rank_C=1&cannot_B=on&all_bad=on&rating_kind_A=4&rating_kind_C=2"
        "&flag_A=unsafe&flag_A=untrue&flag_C=broken&edited=C&edited_answer=Better.%0D%0AMuch."
    )

    assert verdict_from_form(form, view(3, dimensions=(Dimension("kind", "Kind"),))) == Verdict(
        ranks=(2, None, 1),
        cannot_judge=(1,),
        all_bad=True,
        ratings={"kind": (4, None, 2)},
        flags=((0, "unsafe"), (0, "untrue"), (2, "broken")),
        edited_position=2,
        edited_answer="Better.\nMuch.",
    )


@pytest.mark.parametrize(
    ("code", "ranks", "strength"),
    [("A3", (1, 2), 3), ("A1", (1, 2), 1), ("0", (1, 1), 0), ("B2", (2, 1), 2)],
)
def test_a_strength_says_who_is_better(code, ranks, strength):
    verdict = verdict_from_form(QueryDict(f"strength={code}"), view())

    assert (verdict.ranks, verdict.strength) == (ranks, strength)


@pytest.mark.parametrize("code", ["A0", "C1", "3", "A33", "-1"])
def test_another_strength_is_refused(code):
    with pytest.raises(Invalid, match="A3, A2, A1, 0"):
        verdict_from_form(QueryDict(f"strength={code}"), view())


def test_an_empty_form_says_nothing():
    assert verdict_from_form(QueryDict(""), view()) == Verdict()
    assert verdict_from_form(QueryDict("rank_A=x&rank_B=&rank_Z=1&edited=A&edited_answer=+"), view()) == Verdict()


def test_an_answer_that_nobody_changed_is_not_improved():
    assert verdict_from_form(QueryDict("edited=B&edited_answer=Text%0D%0Aof+B."), view()) == Verdict()
    assert verdict_from_form(QueryDict("edited=&edited_answer=New."), view()).edited_answer == "New."
    with pytest.raises(Invalid, match="A, B"):
        verdict_from_form(QueryDict("edited=C&edited_answer=New."), view())
