"""What the labeling app needs from outside and does not know: somebody who answers a conversation while one watches.

The setting ANSWER_SOURCE names the class; alignment has the one that asks policy endpoints.
"""

import dataclasses
from collections.abc import Generator, Sequence
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from feedback.domain.messages import Message
from feedback.models import Project


class SourceDown(Exception):  # noqa: N818 - the state of the source
    """The source cannot be reached or is not ready: worth trying again. The message is for logs, not for annotators."""


class SourceRefused(Exception):  # noqa: N818 - what the source did
    """The source cannot answer this conversation, most often because it is too long; trying again ends the same way."""


@dataclasses.dataclass(frozen=True)
class Offer:
    """A source that can be asked in a project."""

    key: str
    name: str


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How an answer is drawn; both answers of a turn are drawn alike."""

    seed: int
    max_new_tokens: int
    temperature: float = 1.0
    """From the policy as it is: what people compare is what training assumes."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some text of an answer; the last piece has the reason of its end."""

    text: str
    finish_reason: str = ""
    """`stop` when the source ended the answer, `length` when it was cut."""


class AnswerSource(Protocol):
    """Answers conversations, piece by piece."""

    def offers(self, *, project: Project) -> Sequence[Offer]:
        """Return who can answer in a project; the two that are compared by default stand first."""

    def max_new_tokens(self, *, project: Project) -> int:
        """Return the length limit of an answer, in tokens of whoever answers."""

    def stream(
        self, *, project: Project, key: str, messages: Sequence[Message], decoding: Decoding
    ) -> Generator[Piece, None, None]:
        """Ask a source and return its pieces; the last one has a finish reason.

        Uses the database before it returns and never afterwards: the pieces may be read in another thread.

        Raises: SourceDown, SourceRefused, at the call or while it is read.
        """


def answer_source() -> AnswerSource:
    """Return the project's own source of live answers."""
    source: AnswerSource = import_string(settings.ANSWER_SOURCE)()
    return source
