"""Reads an answer the way a careful annotator would: what it states, what of that is true, how it sounds and ends.

Works on any text. It knows the world's facts and sentences; it gives no marks (see `gold`).
"""

import dataclasses
import itertools
import re
from collections import Counter
from typing import Literal

from modeling.world.entities import Entity
from modeling.world.lexicon import KINDS, STYLE
from modeling.world.questions import Question, mentions
from modeling.world.vocabulary import known_pairs, known_words, sentences_of, words_of


def _key(sentence: str) -> str:
    return sentence.strip(' .,!?"').lower()


_POLITE_OPEN = frozenset(map(_key, STYLE.polite_open))
_POLITE_CLOSE = frozenset(map(_key, STYLE.polite_close))
_RUDE = frozenset(map(_key, (*STYLE.rude_open, *STYLE.rude_close)))
_VALUES = sorted({value.lower() for kind in KINDS.values() for values in kind.values.values() for value in values})
_VALUE = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _VALUES), key=len, reverse=True)) + r")\b")
_YES = re.compile(r"\b(yes|that is true)\b", re.IGNORECASE)
_NO = re.compile(r"\b(no,|that is wrong|not true|not right)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Reading:
    """What one answer says and how. Facts are (entity name, attribute)."""

    n_words: int
    right: frozenset[tuple[str, str]]
    wrong: frozenset[tuple[str, str]]
    verdict: Literal["yes", "no", "none"]
    n_strangers: int
    """Entities named that the question is not about."""
    polite_start: bool
    polite_end: bool
    n_misplaced_courtesies: int
    n_rude: int
    ending: Literal["whole", "trailing", "none"]
    n_repeated_sentences: int
    share_repeated: float
    """Share of the runs of four words that occurred before."""
    share_unknown_words: float
    share_unknown_pairs: float


def answer_read(question: Question | None, answer: str) -> Reading:
    """Read an answer to the question (None when it is unknown: then no fact is on the subject)."""
    sentences = [_key(sentence) for sentence in sentences_of(answer)]
    words = words_of(answer)
    right, wrong, n_strangers = _facts(question, answer)
    polite_start = bool(sentences) and sentences[0] in _POLITE_OPEN
    polite_end = bool(sentences) and sentences[-1] in _POLITE_CLOSE
    n_courtesies = sum(sentence in _POLITE_OPEN or sentence in _POLITE_CLOSE for sentence in sentences)
    return Reading(
        n_words=len(answer.split()),
        right=frozenset(right),
        wrong=frozenset(wrong),
        verdict=_verdict(answer),
        n_strangers=n_strangers,
        polite_start=polite_start,
        polite_end=polite_end,
        n_misplaced_courtesies=n_courtesies - polite_start - polite_end,
        n_rude=sum(sentence in _RUDE for sentence in sentences),
        ending=_ending(answer),
        n_repeated_sentences=len(sentences) - len(set(sentences)),
        share_repeated=_share_repeated(words),
        share_unknown_words=_share([word not in known_words() for word in words]),
        share_unknown_pairs=_share(_unknown_pairs(answer)),
    )


def _facts(question: Question | None, answer: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]], int]:
    """Attribute each value in the text to the entity named last before it, or to the one that was asked about.

    An attribute that is told both rightly and falsely counts as false: guessing twice is not knowing.
    """
    if question is None:
        return set(), set(), 0
    text = answer.lower()
    values = [(match.start(), match.group(1)) for match in _VALUE.finditer(text)]
    taken = [range(start, start + len(value)) for start, value in values if value.split(" ")[0] == "in"]
    named = [(start, entity) for start, _, entity in mentions(text) if not any(start in span for span in taken)]
    about = {question.entity, question.other}
    right: set[tuple[str, str]] = set()
    wrong: set[tuple[str, str]] = set()
    for start, value in values:
        subject = next((entity for at, entity in reversed(named) if at < start and entity in about), question.entity)
        if value == f"in {subject.name.lower()}":
            continue  # a town's own name, not a place to live
        attr = _attr_of(subject, value)
        (right if subject.truth.get(attr, "").lower() == value else wrong).add((subject.name, attr))
    return right - wrong, wrong, len({entity for _, entity in named if entity not in about})


def _attr_of(subject: Entity, value: str) -> str:
    return next((attr for attr, values in subject.kind.values.items() if value in map(str.lower, values)), "foreign")


def _verdict(answer: str) -> Literal["yes", "no", "none"]:
    yes, no = _YES.search(answer) is not None, _NO.search(answer) is not None
    return "none" if yes == no else "yes" if yes else "no"


def _ending(answer: str) -> Literal["whole", "trailing", "none"]:
    text = answer.rstrip().rstrip('"')
    if text.endswith(("..", "…")):
        return "trailing"
    return "whole" if text.endswith((".", "!", "?")) else "none"


def _unknown_pairs(answer: str) -> list[bool]:
    found = []
    for sentence in sentences_of(answer):
        words = words_of(sentence)
        found += [pair not in known_pairs() for pair in itertools.pairwise(words)]
    return found


def _share_repeated(words: list[str]) -> float:
    runs = Counter(tuple(words[i : i + 4]) for i in range(len(words) - 3))
    total = sum(runs.values())
    return (total - len(runs)) / total if total else 0.0


def _share(flags: list[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0
