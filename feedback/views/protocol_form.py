"""The part of a project's form that says what annotators are asked for, in plain fields that need no script."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from feedback.domain.errors import Invalid
from feedback.domain.protocol import (
    DEFAULT_DIMENSIONS,
    MAX_ANSWERS,
    MAX_DIMENSIONS,
    MAX_LIVE_TURNS,
    Dimension,
    Editing,
    ProtocolKind,
    ProtocolOptions,
)

SCALE_FIELDS = ("name", "low", "high", "points", "key")
_DEFAULT_POINTS = 5


class ProtocolForm(forms.Form):
    kind = forms.ChoiceField(
        label=gettext_lazy("What annotators do"),
        choices=ProtocolKind.choices,
        help_text=gettext_lazy("A change is a new version; tasks that are open already are done as they were meant."),
    )
    top_k = forms.IntegerField(
        label=gettext_lazy("Rank only the best"),
        required=False,
        min_value=0,
        max_value=MAX_ANSWERS,
        help_text=gettext_lazy("How many need a rank; the others count as worse. 0 asks for a rank for each."),
    )
    editing = forms.ChoiceField(label=gettext_lazy("Improve the best answer"), required=False, choices=Editing.choices)
    live_turns = forms.IntegerField(
        label=gettext_lazy("Turns of a conversation"), required=False, min_value=1, max_value=MAX_LIVE_TURNS
    )
    live_sources = forms.CharField(
        label=gettext_lazy("Who answers in a chat"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Keys of two sources, one a line. Empty: what is deployed, and what was before it."),
    )
    masked_names = forms.CharField(
        label=gettext_lazy("Names to mask"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("One a line: names by which answers would say whose they are."),
    )
    warnings = forms.CharField(
        label=gettext_lazy("Content warnings"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy(
            "One a line, “tag: sentence”. The sentence is shown before prompts with that tag, and people can opt out.",
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(MAX_DIMENSIONS):
            for name, field in _scale_fields(number).items():
                self.fields[f"scale_{number}_{name}"] = field

    def scales(self) -> Iterator[list[forms.BoundField]]:
        """Yield the fields of one scale after the other, for the template."""
        for number in range(MAX_DIMENSIONS):
            yield [self[f"scale_{number}_{name}"] for name in SCALE_FIELDS]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            cleaned["kind"] = ProtocolKind(cleaned["kind"])
            cleaned["options"] = _options(cleaned)
            cleaned["options"].validate(cleaned["kind"])
        except Invalid as error:
            self.add_error(None, error.message)
        return cleaned


def protocol_initial(kind: str, options: ProtocolOptions) -> dict[str, Any]:
    """Return a stored version as the form shows it."""
    initial: dict[str, Any] = {
        "kind": kind,
        "top_k": options.top_k,
        "editing": options.editing,
        "live_turns": options.live_turns,
        "live_sources": "\n".join(options.live_sources),
        "masked_names": "\n".join(options.masked_names),
        "warnings": "\n".join(f"{tag}: {text}" for tag, text in options.warnings.items()),
    }
    for number, dimension in enumerate(options.dimensions):
        initial |= {f"scale_{number}_{name}": getattr(dimension, name) for name in SCALE_FIELDS}
    return initial


def _scale_fields(number: int) -> dict[str, forms.Field]:
    def text(label: Any, example: str, max_length: int = 200) -> forms.CharField:
        widget = forms.TextInput(attrs={"placeholder": example})
        return forms.CharField(label=label, required=False, max_length=max_length, widget=widget)

    example = DEFAULT_DIMENSIONS[number % len(DEFAULT_DIMENSIONS)]
    return {
        "name": text(_("Scale %(number)s") % {"number": number + 1}, example.name),
        "low": text(gettext_lazy("1 means"), example.low),
        "high": text(gettext_lazy("The highest means"), example.high),
        "points": forms.IntegerField(
            label=gettext_lazy("Points"),
            required=False,
            min_value=2,
            max_value=11,
            widget=forms.NumberInput(attrs={"placeholder": _DEFAULT_POINTS}),
        ),
        "key": text(gettext_lazy("Key in exports"), example.key, max_length=32),
    }


def _options(cleaned: dict[str, Any]) -> ProtocolOptions:
    """Raises: Invalid."""
    kind = cleaned["kind"]
    dimensions = tuple(_dimensions(cleaned))
    if kind == ProtocolKind.RATE and not dimensions:
        dimensions = DEFAULT_DIMENSIONS
    asks_for_answers = kind not in {ProtocolKind.WRITE, ProtocolKind.LIVE}
    return ProtocolOptions(
        dimensions=dimensions if kind != ProtocolKind.WRITE else (),
        top_k=(cleaned["top_k"] or 0) if kind == ProtocolKind.RANK else 0,
        editing=Editing(cleaned["editing"] or Editing.NO) if asks_for_answers else Editing.NO,
        masked_names=tuple(_lines(cleaned["masked_names"])),
        warnings=dict(_warning(line) for line in _lines(cleaned["warnings"])),
        live_sources=tuple(_lines(cleaned["live_sources"])),
        live_turns=cleaned["live_turns"] or ProtocolOptions.live_turns,
    )


def _dimensions(cleaned: dict[str, Any]) -> Iterator[Dimension]:
    for number in range(MAX_DIMENSIONS):
        given = {name: cleaned[f"scale_{number}_{name}"] for name in SCALE_FIELDS}
        if not given["name"]:
            if given["low"] or given["high"]:
                raise Invalid(_("Scale %(number)s needs a name.") % {"number": number + 1})
            continue
        key = given["key"] or slugify(given["name"]).replace("-", "_")[:32]
        yield Dimension(
            key=key if key[:1].isalpha() else f"scale_{number + 1}",
            name=given["name"],
            low=given["low"],
            high=given["high"],
            points=given["points"] or _DEFAULT_POINTS,
        )


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _warning(line: str) -> tuple[str, str]:
    tag, colon, text = line.partition(":")
    if not (colon and tag.strip() and text.strip()):
        raise Invalid(_("A content warning is a tag, a colon and a sentence, not “%(line)s”.") % {"line": line[:80]})
    return tag.strip(), text.strip()
