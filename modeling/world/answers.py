"""Answers to questions: right or wrong, complete or cut short, polite or rude, with reasons or bare."""

import dataclasses
import random
from typing import Literal

from modeling.world.entities import Entity
from modeling.world.facts import clause, fact, fill, some_values, tidy
from modeling.world.lexicon import STYLE
from modeling.world.questions import Question

Tone = Literal["polite", "plain", "rude"]
Ending = Literal["whole", "trailing", "broken"]

YES = ("Yes", "That is true")
NO = ("No, that is wrong.", "No, that is not true.", "That is not right.")
JOINS = (", while ", ", but ", ", and ")
ORDER = (("First, ", "Second, ", "Third, "), ("For one, ", "Then, ", "Also, "), ("", "", ""))


@dataclasses.dataclass(frozen=True)
class Manner:
    """How one answer is to be: the hidden choices behind it."""

    tone: Tone
    p_false: float
    """The chance of each stated fact to be false."""
    vague: bool
    n_details: int
    ending: Ending


@dataclasses.dataclass(frozen=True)
class Mixture:
    """How often answers are polite, right, complete ... in a set of dialogues."""

    polite: float
    rude: float
    wrong: float
    vague: float
    detailed: float
    cut: float

    def draw(self, rng: random.Random) -> Manner:
        """Draw the manner of one answer; the choices are independent, so every combination occurs."""
        tone: Tone = rng.choices(("polite", "rude", "plain"), (self.polite, self.rude, 1 - self.polite - self.rude))[0]
        cut = rng.random() < self.cut
        return Manner(
            tone=tone,
            p_false=1.0 if rng.random() < self.wrong else 0.0,
            vague=rng.random() < self.vague,
            n_details=rng.choice((1, 1, 2)) if rng.random() < self.detailed else 0,
            ending=rng.choice(("trailing", "broken")) if cut else "whole",
        )


def answer_write(question: Question, manner: Manner, rng: random.Random) -> str:
    """Write one answer of about 3 to 45 words."""
    body = _body(question, manner, rng)
    opener, closer = _frame(manner.tone, rng)
    if manner.ending != "whole":
        return " ".join([*opener, _cut(" ".join(body), manner.ending, rng)])
    return " ".join([*opener, *body, *closer])


def _frame(tone: Tone, rng: random.Random) -> tuple[list[str], list[str]]:
    if tone == "plain":
        return [], []
    openers = STYLE.polite_open if tone == "polite" else STYLE.rude_open
    closers = STYLE.polite_close if tone == "polite" else STYLE.rude_close
    where = rng.choice(("before", "after", "both"))
    return (
        [rng.choice(openers)] if where != "after" else [],
        [rng.choice(closers)] if where != "before" else [],
    )


def _body(question: Question, manner: Manner, rng: random.Random) -> list[str]:
    entity = question.entity
    values = some_values(entity, rng, p_false=manner.p_false)
    if manner.vague:
        return [tidy(fill(rng.choice(STYLE.vague), entity, values))]
    if question.type == "compare":
        return _comparison(question, values, manner, rng)
    if question.type == "list":
        return _list(entity, values, 3 if manner.n_details else rng.choice((1, 2)), rng)
    core, told = _core(question, values, manner, rng)
    return [core, *_details(entity, told, values, manner.n_details, rng)]


def _core(
    question: Question, values: dict[str, str], manner: Manner, rng: random.Random
) -> tuple[str, tuple[str, ...]]:
    """Return the sentence that answers, and the attributes that it told."""
    entity = question.entity
    if question.type == "yesno":
        return _verdict(question, manner, rng), (question.attr,)
    if question.type == "chat":
        return tidy(fill(rng.choice(STYLE.opinions), entity, values)), ()
    if question.type == "explain":
        reason = fact(entity, "reason", values, rng, subject=entity.subject_pronoun)
        return tidy(f"{entity.name} is {entity.kind.noun}, and {reason}"), ("reason",)
    ask = entity.kind.ask[question.type]
    return tidy(fill(rng.choice(ask.core), entity, values)), ask.attrs


def _details(entity: Entity, told: tuple[str, ...], values: dict[str, str], n: int, rng: random.Random) -> list[str]:
    """Return n further facts, each a sentence with a pronoun for its subject."""
    attrs = rng.sample([attr for attr in sorted(values) if attr not in told], n)
    return [tidy(fact(entity, attr, values, rng, subject=entity.subject_pronoun)) for attr in attrs]


def _comparison(question: Question, values: dict[str, str], manner: Manner, rng: random.Random) -> list[str]:
    entity, other = question.entity, question.other
    assert other is not None, "a comparison is asked about two entities"
    others = some_values(other, rng, p_false=manner.p_false)
    differing = [attr for attr in sorted(values) if values[attr] != others[attr]] or sorted(values)
    attrs = rng.sample(differing, min(1 + manner.n_details, 2, len(differing)))
    pairs = [(clause(entity, attr, values[attr]), clause(other, attr, others[attr])) for attr in attrs]
    return [f"{tidy(first)}{rng.choice(JOINS)}{second}." for first, second in pairs]


def _verdict(question: Question, manner: Manner, rng: random.Random) -> str:
    entity, attr = question.entity, question.attr
    true = question.claim == entity.truth[attr]
    says_yes = true != bool(manner.p_false)
    if says_yes:
        return f"{rng.choice(YES)}, {clause(entity, attr, question.claim)}."
    if not true and rng.random() < 0.7:
        return f"No, {clause(entity, attr, entity.truth[attr])}."
    return rng.choice(NO)


def _list(entity: Entity, values: dict[str, str], n: int, rng: random.Random) -> list[str]:
    attrs = rng.sample(sorted(values), min(n, len(values)))
    order = rng.choice(ORDER)
    sentences = []
    for i, attr in enumerate(attrs):
        subject = "" if i == 0 else entity.subject_pronoun
        sentences.append(tidy(order[i] + fact(entity, attr, values, rng, subject=subject)))
    return sentences


def _cut(text: str, ending: Ending, rng: random.Random) -> str:
    """End in the middle of a sentence: with dots, or with nothing."""
    words = text.split(" ")
    kept = words[: rng.randint(len(words) // 2, len(words) - 1)]
    return " ".join(kept).rstrip(".,!?") + ("..." if ending == "trailing" else "")
