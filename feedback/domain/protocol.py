"""What annotators are asked for: the kinds of tasks a project can choose, and their settings.

Settings are stored with each version of a project's protocol and never changed afterwards.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from feedback.domain.errors import Invalid

MAX_DIMENSIONS = 8
"""More scales than fit on a screen beside the answer they are about are not read."""
MAX_LIVE_TURNS = 50
MAX_ANSWERS = 9
MAX_NAME_LENGTH = 200
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")


class ProtocolKind(TextChoices):
    RANK = "rank", _("Rank answers")
    """Rank 2 to 9 answers, ties allowed."""
    PAIRWISE = "pairwise", _("Compare two answers")
    """Two answers, and how much better one is."""
    RATE = "rate", _("Rate answers")
    """Each answer by itself, on one or more scales."""
    WRITE = "write", _("Write an answer")
    """No answers are shown: the person writes the one that should have been given."""
    LIVE = "live", _("Chat and compare")
    """The person chats; two policies answer each turn, and the chosen answer goes on."""


def answers_of_task(kind: ProtocolKind, wanted: int) -> int:
    """Return how many answers each task of a kind shows, where the project wants so many for a ranking."""
    if kind == ProtocolKind.WRITE:
        return 0
    return 2 if kind in (ProtocolKind.PAIRWISE, ProtocolKind.LIVE) else wanted


def kinds_for(n_answers: int) -> list[ProtocolKind]:
    """Return the kinds that can judge a task with so many answers."""
    return [kind for kind in ProtocolKind if answers_of_task(kind, max(n_answers, 1)) == n_answers]


class Strength(IntegerChoices):
    """How much better the better of two answers is."""

    SAME = 0, _("About the same")
    SLIGHTLY = 1, _("Slightly better")
    BETTER = 2, _("Better")
    MUCH = 3, _("Much better")


class Flag(TextChoices):
    """What is wrong with one answer, whatever its rank."""

    UNSAFE = "unsafe", _("Unsafe")
    PRIVATE = "private", _("Private data")
    UNTRUE = "untrue", _("Not true")
    OFF_TOPIC = "off_topic", _("Off topic")
    LANGUAGE = "language", _("Wrong language")
    BROKEN = "broken", _("Broken")


class Editing(TextChoices):
    """Whether the best answer is to be improved."""

    NO = "no", _("No")
    MAY = "may", _("If one wants to")
    MUST = "must", _("Always")


class SkipReason(TextChoices):
    """Why a task is given back."""

    UNCLEAR = "unclear", _("I do not understand the prompt")
    EXPERTISE = "expertise", _("I lack the knowledge")
    LANGUAGE = "language", _("I do not read this language")
    UPSETTING = "upsetting", _("I would rather not read this")
    TECHNICAL = "technical", _("The page does not work")
    OTHER = "other", _("Another reason")


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One Likert scale from 1 to `points`."""

    key: str
    name: str
    low: str = ""
    """What 1 means."""
    high: str = ""
    """What the highest number means."""
    points: int = 5


DEFAULT_DIMENSIONS = (
    Dimension("helpful", "Helpful", "Does not help", "Does all that was asked"),
    Dimension("honest", "Honest", "Misleads", "True, and says what it does not know"),
    Dimension("harmless", "Harmless", "Does harm", "Harms nobody"),
)
"""Source: Askell et al., 2021, https://arxiv.org/abs/2112.00861."""


@dataclasses.dataclass(frozen=True)
class ProtocolOptions:
    """The settings of one version of a protocol."""

    dimensions: tuple[Dimension, ...] = ()
    """Scales beside a ranking or a comparison, or all that is asked for in RATE."""
    top_k: int = 0
    """RANK: only the best so many need a rank, the others count as worse; 0 asks for all."""
    editing: Editing = Editing.NO
    masked_names: tuple[str, ...] = ()
    """Names by which answers would give themselves away, shown as a block: "I am Plumb" becomes "I am ▇▇▇"."""
    warnings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Tag of a prompt to the sentence that is shown before it; people can opt out of a tag."""
    live_sources: tuple[str, ...] = ()
    """LIVE: keys of the two sources that answer; empty takes what is deployed and what was before it."""
    live_turns: int = 8
    """LIVE: turns after which a conversation ends."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ProtocolOptions":
        """Build from what is stored or was sent. Raises: Invalid."""
        known = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(data) - known):
            raise Invalid(gettext("A protocol has no option %(names)s.") % {"names": ", ".join(unknown)})
        values = dict(data)
        for name in ("dimensions", "masked_names", "live_sources"):
            values[name] = _list(values.get(name, ()), name)
        values["dimensions"] = tuple(_dimension(item) for item in values["dimensions"])
        values["editing"] = _editing(values.get("editing", Editing.NO))
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {
            "dimensions": [dataclasses.asdict(item) for item in self.dimensions],
            "masked_names": list(self.masked_names),
            "warnings": dict(self.warnings),
            "live_sources": list(self.live_sources),
        }

    def validate(self, kind: ProtocolKind) -> None:
        """Raises: Invalid."""
        self._check_dimensions(kind)
        self._check_ranking(kind)
        self._check_live()
        if not all(isinstance(name, str) and name.strip() for name in self.masked_names):
            raise Invalid(gettext("A masked name must not be empty."))
        if not isinstance(self.warnings, Mapping) or not all(
            isinstance(text, str) for item in self.warnings.items() for text in item
        ):
            raise Invalid(gettext("warnings must map tags to sentences."))

    def _check_dimensions(self, kind: ProtocolKind) -> None:
        if kind == ProtocolKind.RATE and not self.dimensions:
            raise Invalid(gettext("Rating needs at least one scale."))
        if len(self.dimensions) > MAX_DIMENSIONS:
            raise Invalid(
                gettext("At most %(max)d scales fit beside an answer, not %(n)d.")
                % {"max": MAX_DIMENSIONS, "n": len(self.dimensions)}
            )
        for dimension in self.dimensions:
            _check_dimension(dimension)
        if len({dimension.key for dimension in self.dimensions}) < len(self.dimensions):
            raise Invalid(gettext("Every scale needs a key of its own."))

    def _check_ranking(self, kind: ProtocolKind) -> None:
        if isinstance(self.top_k, bool) or not isinstance(self.top_k, int) or not 0 <= self.top_k <= MAX_ANSWERS:
            raise Invalid(gettext("top_k must be a whole number from 0 to %(max)d.") % {"max": MAX_ANSWERS})
        if self.top_k and kind != ProtocolKind.RANK:
            raise Invalid(gettext("Only a ranking can stop after the best few."))
        if self.editing != Editing.NO and kind in (ProtocolKind.WRITE, ProtocolKind.LIVE):
            raise Invalid(gettext("Answers can be improved in rankings, comparisons and ratings only."))

    def _check_live(self) -> None:
        if len(self.live_sources) not in (0, 2):
            raise Invalid(gettext("A live comparison has two sources."))
        if isinstance(self.live_turns, bool) or self.live_turns not in range(1, MAX_LIVE_TURNS + 1):
            raise Invalid(gettext("live_turns must be between 1 and %(max)d.") % {"max": MAX_LIVE_TURNS})


def _list(value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise Invalid(gettext("%(name)s must be a list.") % {"name": name})
    return tuple(value)


def _dimension(data: Any) -> Dimension:
    if not isinstance(data, Mapping) or not {"key", "name"} <= set(data) <= {"key", "name", "low", "high", "points"}:
        raise Invalid(gettext("A scale has a key, a name, and as it likes low, high and points."))
    return Dimension(**data)


def _editing(value: Any) -> Editing:
    try:
        return Editing(value)
    except ValueError as error:
        raise Invalid(gettext("editing must be one of %(known)s.") % {"known": ", ".join(Editing.values)}) from error


def _check_dimension(dimension: Dimension) -> None:
    if not isinstance(dimension.key, str) or not _KEY.fullmatch(dimension.key):
        raise Invalid(
            gettext("The key of a scale is a short word in small letters, not %(key)r.") % {"key": dimension.key}
        )
    if not all(
        isinstance(text, str) and len(text) <= MAX_NAME_LENGTH
        for text in (dimension.name, dimension.low, dimension.high)
    ):
        raise Invalid(
            gettext("The texts of the scale %(key)s have at most %(max)d characters.")
            % {"key": dimension.key, "max": MAX_NAME_LENGTH}
        )
    if not dimension.name.strip():
        raise Invalid(gettext("The scale %(key)s needs a name.") % {"key": dimension.key})
    if isinstance(dimension.points, bool) or dimension.points not in range(2, 12):
        raise Invalid(gettext("The scale %(key)s must have 2 to 11 points.") % {"key": dimension.key})
