"""A verdict as the API writes it: everything by shown letter."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from feedback.domain.protocol import Flag, Strength
from feedback.domain.ranking import LETTERS, letter_position, ranks_by_letter
from feedback.domain.verdict import Verdict


@extend_schema_serializer(component_name="Verdict")
class VerdictSerializer(serializers.Serializer):
    """What somebody says about the shown answers; what a task does not ask for is left out."""

    ranks = serializers.DictField(
        child=serializers.IntegerField(min_value=1, max_value=26, allow_null=True),
        required=False,
        help_text='A rank for each letter, 1 is the best, equal ranks are ties, null is none: {"A": 2, "B": 1}.',
    )
    cannot_judge = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Letters; they have no rank and no rating."
    )
    all_bad = serializers.BooleanField(required=False, help_text="None of the answers is acceptable.")
    strength = serializers.ChoiceField(
        choices=Strength.choices, required=False, allow_null=True, help_text="Of two answers; `ranks` say which."
    )
    ratings = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField(allow_null=True)),
        required=False,
        help_text='For each scale of the task: {"helpful": {"A": 4, "B": 2}}.',
    )
    flags = serializers.DictField(
        child=serializers.ListField(child=serializers.ChoiceField(choices=Flag.choices)),
        required=False,
        help_text='{"A": ["untrue"]}',
    )
    edited = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, help_text="The letter that `edited_answer` improves."
    )
    edited_answer = serializers.CharField(
        required=False,
        allow_blank=True,
        trim_whitespace=False,
        help_text="An improved answer, or one that was written from nothing.",
    )


def verdict_by_letter(values: Mapping[str, Any], n_answers: int) -> Verdict:
    """Return what a body says about the shown letters. Raises: RankError."""
    edited = values.get("edited")
    return Verdict(
        ranks=tuple(ranks_by_letter(values["ranks"], n_answers)) if values.get("ranks") else (),
        cannot_judge=tuple(letter_position(letter, n_answers) for letter in values.get("cannot_judge", ())),
        all_bad=values.get("all_bad", False),
        strength=values.get("strength"),
        ratings={key: _scores(scores, n_answers) for key, scores in values.get("ratings", {}).items()},
        flags=tuple(
            (letter_position(letter, n_answers), name)
            for letter, names in values.get("flags", {}).items()
            for name in names
        ),
        edited_position=letter_position(edited, n_answers) if edited else None,
        edited_answer=values.get("edited_answer", ""),
    )


def letters_of_verdict(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as a body says it."""
    flags: dict[str, list[str]] = {}
    for position, name in verdict.flags:
        flags.setdefault(LETTERS[position], []).append(name)
    return {
        "ranks": dict(zip(LETTERS, verdict.ranks, strict=False)),
        "cannot_judge": [LETTERS[position] for position in verdict.cannot_judge],
        "all_bad": verdict.all_bad,
        "strength": verdict.strength,
        "ratings": {key: dict(zip(LETTERS, scores, strict=False)) for key, scores in verdict.ratings.items()},
        "flags": flags,
        "edited": None if verdict.edited_position is None else LETTERS[verdict.edited_position],
        "edited_answer": verdict.edited_answer,
    }


def _scores(scores: Mapping[str, int | None], n_answers: int) -> tuple[int | None, ...]:
    by_position = {letter_position(letter, n_answers): score for letter, score in scores.items()}
    return tuple(by_position.get(position) for position in range(n_answers))
